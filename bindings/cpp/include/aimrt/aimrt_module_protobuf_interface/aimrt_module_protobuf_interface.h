// All of the protobuf interface.
#pragma once

#include "aimrt_module_protobuf_interface/channel/protobuf_channel.h"
#include "aimrt_module_protobuf_interface/util/protobuf_tools.h"
#include "aimrt_module_protobuf_interface/util/protobuf_type_support.h"
#include "aimrt_module_protobuf_interface/util/protobuf_zero_copy_stream.h"
