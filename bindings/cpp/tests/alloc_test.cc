// After warm-up a direct call allocates nothing, neither in these headers nor in the library.
#include "fixture.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

#if !defined(__SANITIZE_ADDRESS__)

extern "C" {
void *__libc_malloc(std::size_t size);
void *__libc_calloc(std::size_t count, std::size_t size);
void *__libc_realloc(void *old, std::size_t size);
}

namespace {
thread_local std::uint64_t allocations = 0;
}

// The whole process allocates through these (C++ operator new too): glibc lets a program replace them.
extern "C" void *malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
extern "C" void *calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
extern "C" void *realloc(void *old, std::size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}

namespace rpc = aimrt_rpc;
using fixture::good;

struct number {
  std::int64_t value = 0;
};

template <>
struct aimrt_rpc::type_support<number> {
  static constexpr std::array<std::string_view, 1> serializations = {"n64"};
  static std::string name() { return "test:number"; }
  static bool serialize(std::string_view, const number &message, writer &to) { return to.write({&message, sizeof message}); }
  static bool deserialize(std::string_view, bytes_view from, number &message) {
    if (from.size() != sizeof message) return false;
    message = *reinterpret_cast<const number *>(from.data());
    return true;
  }
};

namespace {

using Allocations = fixture::Runtime;

template <class F>
std::uint64_t counted(F &&f) {
  for (int i = 0; i < 100; ++i) f();
  const std::uint64_t before = allocations;
  for (int i = 0; i < 1000; ++i) f();
  return allocations - before;
}

TEST_F(Allocations, Counter_SeesAllocations) {
  EXPECT_EQ(counted([] { static_cast<void>(std::make_unique<int>(3)); }), 1000u);
}

TEST_F(Allocations, DirectTypedCalls_AllocateNothing) {
  good((callee.register_service<number, number>("test:/N/Next", [](const rpc::context &, const number &in, number &out) {
    out.value = in.value + 1;
    return rpc::status();
  })));
  auto next = good((caller.register_client<number, number>("test:/N/Next")));
  start();
  number in, out;
  EXPECT_EQ(counted([&] {
              if (!next.invoke_sync(in, out).ok()) ++in.value;
            }),
            0u);
  EXPECT_EQ(in.value, 0);
  EXPECT_EQ(out.value, 1);
  int done = 0;
  EXPECT_EQ(counted([&] { next.invoke(in, out, [&done, &in](const rpc::status &how) { done += how.ok() && in.value == 0; }); }),
            0u);
  EXPECT_EQ(done, 1100);
  auto context = good(rpc::context::create());
  EXPECT_EQ(counted([&] {
              static_cast<void>(context.reset());
              if (!next.invoke_sync(context, in, out).ok()) ++in.value;
            }),
            0u);
  EXPECT_EQ(in.value, 0);
}

TEST_F(Allocations, DirectRawCalls_AllocateNothing) {
  good(callee.register_raw_service("pb:/test.Raw/Echo", [](rpc::payload_view request, rpc::raw_response &response) {
    response.set_view(request.bytes);
    return rpc::status();
  }));
  auto echo = good(caller.register_raw_client("pb:/test.Raw/Echo"));
  start();
  const std::string request(64, 'x');
  int bad = 0;
  EXPECT_EQ(counted([&] { bad += echo.invoke_sync(request).bytes().size() != 64; }), 0u);
  EXPECT_EQ(counted([&] {
              echo.invoke(request, [&bad](const rpc::status &how, rpc::payload_view payload) {
                bad += !how.ok() || payload.bytes.size() != 64;
              });
            }),
            0u);
  EXPECT_EQ(bad, 0);
}

}  // namespace

#endif  // !__SANITIZE_ADDRESS__
