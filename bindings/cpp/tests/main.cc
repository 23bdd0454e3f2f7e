// Runs the tests; every test must leave as many live handles as it found.
#include <aimrt_rpc.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

namespace {

class leak_check : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo &) override { before_ = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY); }
  void OnTestEnd(const testing::TestInfo &) override {
    EXPECT_EQ(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), before_) << "the test left handles that nobody released";
  }
  std::uint64_t before_ = 0;
};

}  // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  testing::UnitTest::GetInstance()->listeners().Append(new leak_check);  // NOLINT: GoogleTest owns it
  const int code = RUN_ALL_TESTS();
  const testing::UnitTest &all = *testing::UnitTest::GetInstance();
  std::printf("%d passed, %d failed, %d skipped\n", all.successful_test_count(), all.failed_test_count(),
              all.skipped_test_count());
  return code;
}
