// Coroutines: what AimRT's users rely on in co/.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "aimrt_module_cpp_interface/co/aimrt_context.h"
#include "aimrt_module_cpp_interface/co/async_scope.h"
#include "aimrt_module_cpp_interface/co/inline_scheduler.h"
#include "aimrt_module_cpp_interface/co/on.h"
#include "aimrt_module_cpp_interface/co/schedule.h"
#include "aimrt_module_cpp_interface/co/start_detached.h"
#include "aimrt_module_cpp_interface/co/sync_wait.h"
#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/co/then.h"
#include "fake_core.hpp"

namespace {

using namespace aimrt;
using namespace std::chrono_literals;

co::Task<int> Number(int n) { co_return n; }
co::Task<void> Nothing() { co_return; }
co::Task<std::unique_ptr<int>> MoveOnly() { co_return std::make_unique<int>(7); }
co::Task<int> Throws() {
  throw std::runtime_error("no arm");
  co_return 0;
}

// Counts the frames that are alive by an object in each.
struct Alive {
  static inline std::atomic<int> count = 0;
  Alive() { ++count; }
  Alive(const Alive&) { ++count; }
  ~Alive() { --count; }
};

TEST(Task, RunsOnlyWhenAwaited) {
  bool ran = false;
  const auto make = [&ran]() -> co::Task<void> {
    ran = true;
    co_return;
  };
  {
    auto never = make();
    static_cast<void>(never);
  }
  EXPECT_FALSE(ran);
  co::SyncWait(make());
  EXPECT_TRUE(ran);
}

TEST(Task, GivesValuesAndExceptions) {
  EXPECT_EQ(*co::SyncWait(Number(3)), 3);
  EXPECT_TRUE(co::SyncWait(Nothing()).has_value());
  EXPECT_EQ(**co::SyncWait(MoveOnly()), 7);
  try {
    co::SyncWait(Throws());
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "no arm");
  }
  const auto catches = []() -> co::Task<std::string> {
    try {
      co_await Throws();
    } catch (const std::exception& e) {
      co_return e.what();
    }
    co_return "";
  };
  EXPECT_EQ(*co::SyncWait(catches()), "no arm");
}

TEST(Task, UnstartedTask_DestroysItsParameters) {
  const int before = Alive::count;
  {
    auto task = [](Alive) -> co::Task<void> { co_return; }(Alive());
    EXPECT_EQ(Alive::count, before + 1);
    auto other = std::move(task);
    EXPECT_EQ(Alive::count, before + 1);
  }
  EXPECT_EQ(Alive::count, before);
}

TEST(Task, LoopOverTasks_DoesNotDeepenTheStack) {
  const auto loop = [](int n) -> co::Task<long> {
    long sum = 0;
    for (int i = 0; i < n; ++i) sum += co_await Number(1);
    co_return sum;
  };
  EXPECT_EQ(*co::SyncWait(loop(1'000'000)), 1'000'000);
}

co::Task<int> Depth(int n) {
  if (n == 0) co_return 0;
  co_return 1 + co_await Depth(n - 1);
}

TEST(Task, ChainOfTasks_MayBeDeep) { EXPECT_EQ(*co::SyncWait(Depth(5'000)), 5'000); }

TEST(Task, AwaitsAnyAwaiter) {
  struct Own {
    bool await_ready() { return false; }
    bool await_suspend(std::coroutine_handle<>) { return false; }
    int await_resume() { return 5; }
  };
  const auto task = []() -> co::Task<int> { co_return co_await Own(); };
  EXPECT_EQ(*co::SyncWait(task()), 5);
}

TEST(Task, GivesReferences) {
  int value = 1;
  const auto task = [&value]() -> co::Task<int&> { co_return value; };
  const auto set = [&]() -> co::Task<void> { (co_await task()) = 9; };
  co::SyncWait(set());
  EXPECT_EQ(value, 9);
}

// Resumes on another thread and waits there until everything that follows has run: the awaiter is still beginning meanwhile.
struct OnOtherThread {
  std::thread::id* id;
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    std::thread([handle, to = id] {
      *to = std::this_thread::get_id();
      handle.resume();
    }).join();
  }
  void await_resume() {}
};

TEST(Task, AwaiterGoesOn_WhereTheTaskEnded) {
  for (int depth = 1; depth <= 3; ++depth) {
    const auto inner = [](std::thread::id* id) -> co::Task<void> { co_await OnOtherThread{id}; };
    const auto outer = [&inner](auto self, std::thread::id* id, int left) -> co::Task<std::thread::id> {
      if (left > 1) co_return co_await self(self, id, left - 1);
      co_await inner(id);
      co_return std::this_thread::get_id();
    };
    std::thread::id other;
    EXPECT_EQ(*co::SyncWait(outer(outer, &other, depth)), other) << depth;
    EXPECT_NE(other, std::this_thread::get_id());
  }
}

TEST(Task, AwaiterGoesOn_WhenItIsResumedInsideItsOwnSuspension) {
  struct AtOnce {
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> handle) { handle.resume(); }
    void await_resume() {}
  };
  const auto inner = []() -> co::Task<int> {
    co_await AtOnce();
    co_return 1;
  };
  const auto loop = [&inner]() -> co::Task<int> {
    int sum = 0;
    for (int i = 0; i < 100'000; ++i) sum += co_await inner();
    co_return sum;
  };
  EXPECT_EQ(*co::SyncWait(loop()), 100'000);
}

class Scheduling : public ::testing::Test {
 protected:
  fake::core core;
  executor::ExecutorManagerRef manager{core.base()->executor_manager(core.base()->impl)};
  co::AimRTContext context{manager};
};

TEST_F(Scheduling, Schedule_GoesOnOnTheExecutor) {
  const auto scheduler = context.GetScheduler("work");
  const auto task = [](co::AimRTScheduler s) -> co::Task<std::thread::id> {
    co_await co::Schedule(s);
    co_return std::this_thread::get_id();
  };
  EXPECT_EQ(*co::SyncWait(task(scheduler)), core.work.id());
  EXPECT_EQ(scheduler, context.GetScheduler("work"));
  EXPECT_NE(scheduler, co::AimRTScheduler());
  EXPECT_FALSE(context.GetScheduler("nowhere"));
  EXPECT_FALSE(co::AimRTScheduler());
}

TEST_F(Scheduling, ScheduleAfterAndAt_WaitForTheirTime) {
  const auto task = [](co::AimRTScheduler s) -> co::Task<void> {
    co_await co::ScheduleAfter(s, 5ms);
    co_await co::ScheduleAt(s, std::chrono::system_clock::now() + 5ms);
  };
  const auto begin = std::chrono::system_clock::now();
  co::SyncWait(task(context.GetScheduler("work")));
  EXPECT_GE(std::chrono::system_clock::now() - begin, 10ms);
}

TEST_F(Scheduling, NullScheduler_ThrowsIntoTheCoroutine) {
  const auto task = []() -> co::Task<std::string> {
    try {
      co_await co::Schedule(co::AimRTScheduler());
    } catch (const common::util::AimRTException& e) {
      co_return e.what();
    }
    co_return "";
  };
  EXPECT_NE(co::SyncWait(task())->find("Reference is null."), std::string::npos);
}

TEST_F(Scheduling, On_RunsThereAndPassesTheValue) {
  const auto where = []() -> co::Task<std::thread::id> { co_return std::this_thread::get_id(); };
  EXPECT_EQ(*co::SyncWait(co::On(context.GetScheduler("work"), where())), core.work.id());
  EXPECT_EQ(*co::SyncWait(co::On(co::InlineScheduler(), where())), std::this_thread::get_id());
  EXPECT_EQ(*co::SyncWait(co::On(context.GetScheduler("work"), Number(4)) | co::Then([](int n) { return n + 1; })), 5);
}

TEST_F(Scheduling, LoopOverTheExecutor_DoesNotDeepenTheStack) {
  const auto loop = [](co::AimRTScheduler s) -> co::Task<int> {
    int n = 0;
    for (; n < 20'000; ++n) co_await co::On(s, Nothing());
    co_return n;
  };
  EXPECT_EQ(*co::SyncWait(loop(context.GetScheduler("work"))), 20'000);
}

TEST_F(Scheduling, AsyncScope_CompletesAfterEverythingItSpawned) {
  co::AsyncScope scope;
  std::atomic<int> done = 0;
  const auto work = [&done](co::AimRTScheduler s) -> co::Task<void> {
    co_await co::ScheduleAfter(s, 2ms);
    ++done;
  };
  for (int i = 0; i < 10; ++i) scope.spawn(work(context.GetScheduler("work")));
  co::SyncWait(scope.complete());
  EXPECT_EQ(done, 10);
  scope.spawn(work(context.GetScheduler("work")));
  co::SyncWait(co::On(context.GetScheduler("work"), scope.complete()));
  EXPECT_EQ(done, 10) << "a closed scope starts nothing";
}

TEST_F(Scheduling, AsyncScope_CanEndBeforeItsWork) {
  std::promise<void> ended;
  const int before = Alive::count;
  {
    co::AsyncScope scope;
    scope.spawn([](co::AimRTScheduler s, std::promise<void>& p, Alive) -> co::Task<void> {
      co_await co::ScheduleAfter(s, 2ms);
      p.set_value();
    }(context.GetScheduler("work"), ended, Alive()));
    scope.request_stop();
  }
  ended.get_future().wait();
  core.work.stop();
  EXPECT_EQ(Alive::count, before);
}

TEST(Then, TakesMoveOnlyFunctions) {
  int got = 0;
  co::StartDetached(co::On(co::InlineScheduler(), Number(1)) | co::Then([p = std::make_unique<int>(2), &got](int n) { got = n + *p; }));
  EXPECT_EQ(got, 3);
  EXPECT_EQ(*co::SyncWait(co::Then(Nothing(), [] { return 8; })), 8);
}

TEST_F(Scheduling, StartDetached_KeepsItsStateUntilTheEnd) {
  std::promise<int> result;
  const int before = Alive::count;
  co::StartDetached([](co::AimRTScheduler s, Alive) -> co::Task<int> {
    co_await co::Schedule(s);
    co_return 6;
  }(context.GetScheduler("work"), Alive()) | co::Then([&result](int n) { result.set_value(n); }));
  EXPECT_EQ(result.get_future().get(), 6);
  core.work.stop();
  EXPECT_EQ(Alive::count, before);
}

TEST(StartDetachedDeathTest, Exception_EndsTheProcess) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(co::StartDetached(Throws()), "");
}

}  // namespace
