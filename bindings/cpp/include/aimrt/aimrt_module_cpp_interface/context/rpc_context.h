// The part of the context that concerns calls; this name is kept for programs that include it.
#pragma once

#include "aimrt_module_cpp_interface/context/op_cli.h"
#include "aimrt_module_cpp_interface/context/op_srv.h"
#include "aimrt_module_cpp_interface/rpc/rpc_context.h"
