// Channels with protobuf messages: the templates of channel_handle.h with the type support they need.
#pragma once

#include "aimrt_module_cpp_interface/channel/channel_handle.h"
#include "aimrt_module_protobuf_interface/util/protobuf_type_support.h"
