// Type supports stand with the other helpers; this name is kept for programs that include it.
#pragma once

#include "aimrt_module_cpp_interface/util/type_support.h"
