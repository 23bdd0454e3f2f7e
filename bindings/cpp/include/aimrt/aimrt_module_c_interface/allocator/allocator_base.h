// AimRT's C structs stand in one file; this name is kept for programs that include it.
#pragma once

#include "aimrt_rpc_compat.h"
