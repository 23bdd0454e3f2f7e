// Types that need no runtime: views, result, error, status, function objects, handles, the pool.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;

namespace {

TEST(BytesView, ContainersOfBytes_AllConvert) {
  const std::string text = "abc";
  const std::vector<std::byte> bytes = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  const std::array<unsigned char, 3> octets = {'a', 'b', 'c'};
  EXPECT_EQ(rpc::bytes_view(text), rpc::bytes_view(bytes));
  EXPECT_EQ(rpc::bytes_view(octets), rpc::bytes_view("abc"));
  EXPECT_NE(rpc::bytes_view("abd"), rpc::bytes_view("abc"));
  EXPECT_EQ(rpc::bytes_view("abc").size(), 3u);
  EXPECT_EQ(rpc::bytes_view("abc").text(), "abc");
  EXPECT_TRUE(rpc::bytes_view().empty());
  static_assert(!std::is_convertible_v<std::vector<int>, rpc::bytes_view>, "only bytes are bytes");
}

TEST(PairsView, Find_GivesFirstMatchOrEmpty) {
  const aimrt_rpc_pair_t pairs[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"2", 1}}, {{"a", 1}, {"3", 1}}};
  const rpc::pairs_view view(pairs, 3);
  EXPECT_EQ(view.find("a"), "1");
  EXPECT_EQ(view.find("b"), "2");
  EXPECT_EQ(view.find("c"), "");
  std::string all;
  for (const auto &[name, value] : view) all.append(name).append("=").append(value).append(";");
  EXPECT_EQ(all, "a=1;b=2;a=3;");
}

TEST(Result, ValueAndError_AreHandedOn) {
  rpc::result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  EXPECT_EQ(std::move(good).transform([](int x) { return std::to_string(x); }).value(), "7");

  rpc::result<int> bad = rpc::error(AIMRT_RPC_RESULT_NOT_FOUND, "no such thing");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  EXPECT_EQ(bad.error().message(), "no such thing");
  bool called = false;
  auto after = std::move(bad).and_then([&](int) -> rpc::result<void> {
    called = true;
    return {};
  });
  EXPECT_FALSE(called);
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().message(), "no such thing");
}

TEST(Result, OrElseAndValueOr_ReplaceAnError) {
  rpc::result<int> bad = rpc::error(AIMRT_RPC_RESULT_TIMEOUT);
  auto mended = std::move(bad).or_else([](const rpc::error &) -> rpc::result<int> { return 3; });
  EXPECT_EQ(std::move(mended).value_or(4), 3);
  rpc::result<std::unique_ptr<int>> moved = std::make_unique<int>(5);
  EXPECT_EQ(*std::move(moved).value(), 5);
}

TEST(ResultDeathTest, ValueOfFailure_SaysTheErrorAndStops) {
  EXPECT_DEATH(
      {
        const rpc::result<int> bad = rpc::error(AIMRT_RPC_RESULT_NOT_FOUND, "no such thing");
        static_cast<void>(bad.value());
      },
      "no such thing");
}

#if defined(__cpp_lib_expected)
TEST(Result, ToExpected_KeepsBothSides) {
  EXPECT_EQ(rpc::result<int>(7).to_expected().value(), 7);
  EXPECT_EQ(rpc::result<int>(rpc::error(AIMRT_RPC_RESULT_LOST)).to_expected().error().code(), AIMRT_RPC_RESULT_LOST);
}
#endif

TEST(Error, OfTheLibrary_CarriesTextAndIsFreed) {
  const auto before = aimrt_rpc_live_count(AIMRT_RPC_KIND_ERROR);
  {
    auto bad = rpc::runtime(0).initialize();
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code(), AIMRT_RPC_RESULT_INVALID_HANDLE);
    EXPECT_FALSE(bad.error().message().empty());
    rpc::error moved = std::move(bad).error();
    EXPECT_NE(moved.to_string().find(aimrt_rpc_result_string(AIMRT_RPC_RESULT_INVALID_HANDLE)), std::string::npos);
  }
  EXPECT_EQ(aimrt_rpc_live_count(AIMRT_RPC_KIND_ERROR), before);
}

TEST(Status, StandardText_NeedsNoMemory) {
  const rpc::status ok;
  EXPECT_TRUE(ok.ok());
  EXPECT_EQ(ok.message(), "OK");
  EXPECT_EQ(ok.to_string(), "suc, code 0, msg: OK");
  const rpc::status failed(rpc::code::svr_handle_failed, "boom");
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.number(), 1008u);
  EXPECT_EQ(failed.to_string(), "fail, code 1008, msg: boom");
  const rpc::status own(1234u, "");
  EXPECT_EQ(own.number(), 1234u);
  EXPECT_EQ(own.message(), "Unknown code");
}

TEST(Status, Codes_AgreeWithTheHeaderAndTheLibrary) {
  EXPECT_EQ(static_cast<std::uint32_t>(rpc::code::svr_handle_failed), AIMRT_RPC_CODE_SVR_HANDLE_FAILED);
  EXPECT_EQ(static_cast<std::uint32_t>(rpc::code::unimplemented_shape), AIMRT_RPC_CODE_UNIMPLEMENTED_SHAPE);
  for (std::uint32_t number = 0; number < 3100; ++number) {
    EXPECT_EQ(rpc::code_text(static_cast<rpc::code>(number)), aimrt_rpc_code_string(number)) << number;
  }
}

TEST(Status, Copy_OwnsItsTexts) {
  rpc::status first(rpc::code::remote_exception, "went wrong");
  first.set_trace("at line 1").add_detail("file", "a.py").add_detail("line", "1");
  const rpc::status second = first;  // NOLINT: the copy is the point
  first = rpc::status();
  EXPECT_EQ(first.message(), "OK");
  EXPECT_EQ(second.message(), "went wrong");
  EXPECT_EQ(second.trace(), "at line 1");
  EXPECT_EQ(second.detail("line"), "1");
  EXPECT_EQ(second.detail("nothing"), "");
  EXPECT_EQ(second.details().size(), 2u);
  EXPECT_EQ(rpc::status(rpc::code::timeout), rpc::status(rpc::code::timeout, "Timeout"));
}

TEST(UniqueFunction, SmallAndBig_CallMoveAndDie) {
  auto counter = std::make_shared<int>(0);
  {
    rpc::unique_function<int(int)> small = [counter](int x) { return *counter += x; };
    std::array<char, 200> ballast = {};
    rpc::unique_function<int(int)> big = [counter, ballast](int x) { return *counter += x + ballast[0]; };
    EXPECT_EQ(small(1), 1);
    EXPECT_EQ(big(2), 3);
    rpc::unique_function<int(int)> moved = std::move(small);
    EXPECT_FALSE(static_cast<bool>(small));  // NOLINT: moved-from is empty by contract
    EXPECT_EQ(moved(3), 6);
    moved = std::move(big);
    EXPECT_EQ(moved(4), 10);
    EXPECT_EQ(counter.use_count(), 2);
  }
  EXPECT_EQ(counter.use_count(), 1);
  rpc::unique_function<void(std::unique_ptr<int>)> takes = [](std::unique_ptr<int> p) { EXPECT_EQ(*p, 3); };
  takes(std::make_unique<int>(3));
  const rpc::unique_function<void()> none = static_cast<void (*)()>(nullptr);
  EXPECT_FALSE(static_cast<bool>(none));
}

struct recording_traits {
  static inline std::vector<std::uint64_t> released;
  static void release(std::uint64_t native) noexcept { released.push_back(native); }
};

TEST(UniqueHandle, ReleasesOnceInEveryCase) {
  using handle = rpc::unique_handle<recording_traits>;
  recording_traits::released.clear();
  {
    handle a(1), b(2), c;
    c = std::move(a);
    EXPECT_EQ(a.native(), 0u);  // NOLINT: moved-from is 0 by contract
    c = std::move(b);
    EXPECT_EQ(recording_traits::released, std::vector<std::uint64_t>{1});
    const std::uint64_t given = c.release();
    EXPECT_EQ(given, 2u);
    c.reset(3);
    handle &self = c;
    c = std::move(self);
    EXPECT_EQ(c.native(), 3u);
  }
  EXPECT_EQ(recording_traits::released, (std::vector<std::uint64_t>{1, 3}));
  static_assert(std::is_nothrow_move_constructible_v<rpc::runtime> && !std::is_copy_constructible_v<rpc::runtime>);
  static_assert(std::is_nothrow_move_assignable_v<rpc::call> && std::is_nothrow_move_constructible_v<rpc::queue>);
  static_assert(sizeof(rpc::call) == 8 && sizeof(rpc::context) == 8 && sizeof(rpc::queue) == 8);
}

TEST(Pool, BlocksOfEndedThreads_AreUsedAgain) {
  struct item {
    explicit item(int x) : value(x) {}
    int value;
  };
  std::vector<item *> made;
  for (int i = 0; i < 1000; ++i) made.push_back(rpc::detail::pool_make<item>(i));
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(made[static_cast<std::size_t>(i)]->value, i);
  std::thread([&] {
    for (item *one : made) rpc::detail::pool_destroy(one);
  }).join();
  EXPECT_GE(rpc::detail::shared_pool.count, 1000u);
  EXPECT_LE(rpc::detail::shared_pool.count, rpc::detail::pool_shared_limit);
  item *again = rpc::detail::pool_make<item>(5);
  EXPECT_EQ(again->value, 5);
  rpc::detail::pool_destroy(again);
}

TEST(Pool, ThrowingConstructor_GivesNothingAndLosesNothing) {
  struct bad {
    bad() { throw 1; }
  };
  EXPECT_EQ(rpc::detail::pool_make<bad>(), nullptr);
}

TEST(Timeouts, ToNanoseconds_SaturatesAtBothEnds) {
  using namespace std::chrono_literals;
  EXPECT_EQ(rpc::detail::to_ns(5ms), 5'000'000u);
  EXPECT_EQ(rpc::detail::to_ns(-1s), 0u);
  EXPECT_EQ(rpc::detail::to_ns(rpc::forever), UINT64_MAX);
  EXPECT_EQ(rpc::detail::to_ns(std::chrono::hours::max()), UINT64_MAX);
}

}  // namespace
