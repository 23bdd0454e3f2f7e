// The part of the context that concerns channels; this name is kept for programs that include it.
#pragma once

#include "aimrt_module_cpp_interface/channel/channel_context.h"
#include "aimrt_module_cpp_interface/context/op_pub.h"
#include "aimrt_module_cpp_interface/context/op_sub.h"
