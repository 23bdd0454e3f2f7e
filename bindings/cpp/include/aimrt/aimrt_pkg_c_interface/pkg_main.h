// The four functions every Pkg exports. AIMRT_PKG_MAIN in pkg_macro.h defines them.
#pragma once

#include "aimrt_pkg_c_interface/pkg_export.h"
#include "aimrt_rpc_compat.h"
