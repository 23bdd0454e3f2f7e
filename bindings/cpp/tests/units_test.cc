// All headers in a second translation unit: nothing may be defined twice.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/type_support_pb.hpp>
#include <gtest/gtest.h>

namespace {

TEST(Units, Library_HasTheAbiOfTheHeader) { EXPECT_EQ(aimrt_rpc_abi_version(), AIMRT_RPC_ABI_VERSION); }

}  // namespace
