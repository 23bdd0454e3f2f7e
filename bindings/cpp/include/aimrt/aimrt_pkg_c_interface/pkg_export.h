// Makes the entry points of a Pkg visible whatever the compiler's default is.
#pragma once

#define AIMRT_PKG_EXPORT __attribute__((visibility("default")))
