/* See header_first.c. Compiled as C11 and as C++17. */
#include "aimrt_names.h"
#include "aimrt_rpc.h"

#include "layout_gen.h"

#ifdef __cplusplus
extern "C"
#endif
    uint32_t
    header_second(void);

uint32_t header_second(void) { return (uint32_t)AIMRT_RPC_STATUS_SVR_NOT_FOUND + AIMRT_RPC_CODE_SVR_NOT_FOUND; }
