// A second translation unit with all headers: nothing in them may be defined twice.
#include "aimrt_module_c_interface.h"
#include "aimrt_module_cpp_interface.h"
#include "aimrt_module_protobuf_interface.h"
#include "aimrt_pkg_c_interface.h"
#include "robot.aimrt_rpc.pb.h"
