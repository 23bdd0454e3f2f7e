// Stands with the other allocators; this name is kept for programs that include it.
#pragma once

#include "aimrt_module_cpp_interface/util/buffer_array_allocator.h"
