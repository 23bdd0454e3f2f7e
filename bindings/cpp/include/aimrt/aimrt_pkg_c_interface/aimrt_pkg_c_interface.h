// All of the Pkg interface.
#pragma once

#include "aimrt_pkg_c_interface/pkg_macro.h"
#include "aimrt_pkg_c_interface/pkg_main.h"
