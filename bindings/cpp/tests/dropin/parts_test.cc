// The parts that need no stub: closures, buffers, type supports, logs, executors, timers, parameters, contexts, statuses, modules.
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <memory>
#include <set>
#include <string>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "aimrt_module_protobuf_interface/aimrt_module_protobuf_interface.h"
#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"
#include "fake_core.hpp"
#include "robot.pb.h"
#include "util/block_queue.h"
#include "util/same_arg_trait.h"
#include "util/string_util.h"

namespace {

using namespace aimrt;
using namespace std::chrono_literals;
using robot::arm::MoveReq;
using robot::arm::MoveRsp;

using Task = executor::Task;
static_assert(sizeof(Task) == sizeof(aimrt_function_base_t));

TEST(Function, HoldsSmallAndLargeClosures) {
  int ran = 0;
  Task small([&ran] { ++ran; });
  small();
  std::array<int, 100> large{};
  large[99] = 4;
  Task big([&ran, large] { ran += large[99]; });
  Task moved(std::move(big));
  EXPECT_FALSE(big);
  moved();
  EXPECT_EQ(ran, 5);
  moved = nullptr;
  EXPECT_TRUE(moved == nullptr);
  EXPECT_FALSE(Task(nullptr));
  EXPECT_FALSE(Task(std::function<void()>()));
}

TEST(Function, IsTakenOverByItsHandle) {
  auto shared = std::make_shared<int>(0);
  {
    Task from([shared] { ++*shared; });
    Task to(from.NativeHandle());
    EXPECT_FALSE(from);
    to();
  }
  EXPECT_EQ(*shared, 1);
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_FALSE(Task(static_cast<aimrt_function_base_t*>(nullptr)));
}

TEST(Function, MayHoldWhatCanOnlyBeMoved) {
  std::promise<uint32_t> promise;
  auto future = promise.get_future();
  rpc::ClientCallback callback([promise = std::move(promise)](uint32_t code) mutable { promise.set_value(code); });
  callback(17u);
  EXPECT_EQ(future.get(), 17u);
}

TEST(Function, ExceptionOfATask_IsToldAndGoesNoFurther) {
  ::testing::internal::CaptureStderr();
  Task([] { throw std::runtime_error("too hot"); })();
  Task([] { throw 5; })();
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("]An exception left a callback: too hot\n"), std::string::npos) << told;
  EXPECT_NE(told.find("not derived from std::exception\n"), std::string::npos) << told;
}

TEST(Buffer, GrowsFromTwoByDoubling) {
  util::BufferArray array;
  EXPECT_EQ(array.Data(), nullptr);
  const size_t capacities[] = {2, 2, 4, 4, 8};
  for (const size_t capacity : capacities) {
    EXPECT_EQ(array.NewBuffer(3).len, 3u);
    EXPECT_EQ(array.Capacity(), capacity);
  }
  std::string all;
  for (size_t i = 0; i < array.Size(); ++i) {
    std::string("ab" + std::to_string(i)).copy(static_cast<char*>(array.Data()[i].data), 3);
    all += "ab" + std::to_string(i);
  }
  EXPECT_EQ(array.BufferSize(), 15u);
  EXPECT_EQ(array.JoinToString(), all);
  const util::BufferArrayView view(array);
  const util::BufferArrayView copy = view;
  EXPECT_EQ(copy.JoinToString(), all);
  EXPECT_EQ(view.JoinToCharVector().size(), 15u);
  EXPECT_EQ(util::BufferArrayView("xyz", 3).JoinToString(), "xyz");
  EXPECT_EQ(util::BufferArrayView().BufferSize(), 0u);
}

TEST(Buffer, FlatAllocator_StopsAtItsBlock) {
  char block[8];
  util::FlatBufferArrayAllocator allocator(block, sizeof block);
  util::BufferArray array(allocator.NativeHandle());
  EXPECT_EQ(array.NewBuffer(5).data, static_cast<void*>(block));
  EXPECT_EQ(array.NewBuffer(4).data, nullptr);
  EXPECT_EQ(array.NewBuffer(3).len, 3u);
  EXPECT_EQ(allocator.Used(), 8u);
}

TEST(TypeSupport, WritesAndReadsBothSerializations) {
  const util::TypeSupportRef support(GetMessageTypeSupport<MoveReq>());
  EXPECT_EQ(support.NativeHandle(), GetProtobufMessageTypeSupport<MoveReq>());
  EXPECT_EQ(support.TypeName(), "pb:robot.arm.MoveReq");
  EXPECT_EQ(support.DefaultSerializationType(), "pb");
  EXPECT_TRUE(support.CheckSerializationTypeSupported("json"));
  EXPECT_FALSE(support.CheckSerializationTypeSupported("yaml"));
  EXPECT_EQ(support.CustomTypeSupportPtr(), MoveReq::descriptor());
  MoveReq req;
  req.set_joint("elbow");
  req.set_load(std::string(5000, 'x'));
  for (const char* type : {"pb", "json"}) {
    util::BufferArray array;
    ASSERT_TRUE(support.Serialize(type, &req, array.AllocatorNativeHandle(), array.BufferArrayNativeHandle()));
    const auto copy = support.CreateSharedPtr();
    ASSERT_TRUE(support.Deserialize(type, util::BufferArrayView(array).NativeHandle(), copy.get()));
    EXPECT_EQ(static_cast<MoveReq*>(copy.get())->load(), req.load());
    // The same bytes in pieces.
    const std::string bytes = array.JoinToString();
    const std::vector<aimrt_buffer_view_t> pieces = {{bytes.data(), 7}, {nullptr, 0}, {bytes.data() + 7, bytes.size() - 7}};
    ASSERT_TRUE(support.Deserialize(type, util::BufferArrayView(pieces).NativeHandle(), copy.get()));
    EXPECT_EQ(static_cast<MoveReq*>(copy.get())->joint(), "elbow");
  }
  util::BufferArray array;
  EXPECT_FALSE(support.Serialize("yaml", &req, array.AllocatorNativeHandle(), array.BufferArrayNativeHandle()));
  EXPECT_FALSE(support.Deserialize("json", {nullptr, 0}, &req));
  MoveReq moved, copied;
  support.Copy(&req, &copied);
  support.Move(&req, &moved);
  EXPECT_EQ(copied.load(), moved.load());
}

TEST(TypeSupport, EmptyMessage_HasNoBuffer) {
  const util::TypeSupportRef support(GetMessageTypeSupport<MoveReq>());
  const MoveReq req;
  util::BufferArray array;
  ASSERT_TRUE(support.Serialize("pb", &req, array.AllocatorNativeHandle(), array.BufferArrayNativeHandle()));
  EXPECT_EQ(array.Size(), 0u);
  MoveReq copy;
  copy.set_joint("x");
  ASSERT_TRUE(support.Deserialize("pb", {nullptr, 0}, &copy));
  EXPECT_EQ(copy.joint(), "");
}

TEST(Protobuf, JsonShowsDefaultsUnderTheNamesOfTheProtoFile) {
  MoveRsp rsp;
  EXPECT_EQ(Pb2CompactJson(rsp), R"({"text":""})");
  rsp.mutable_last()->set_number(3);
  EXPECT_EQ(Pb2CompactJson(rsp), R"({"text":"","last":{"number":"3"}})");
  EXPECT_NE(Pb2PrettyJson(rsp).find('\n'), std::string::npos);
  MoveRsp read;
  EXPECT_TRUE(Json2Pb(R"({"last":{"number":"3"}})", read));
  EXPECT_FALSE(Json2Pb(R"({"lost":1})", read));
}

TEST(Protobuf, ZeroCopyStreams_CarryManyBuffers) {
  MoveReq req, copy;
  req.set_load(std::string(10'000, 'y'));
  util::BufferArray array;
  BufferArrayZeroCopyOutputStream out(array.BufferArrayNativeHandle(), array.AllocatorNativeHandle());
  ASSERT_TRUE(req.SerializeToZeroCopyStream(&out));
  EXPECT_GT(array.Size(), 2u);
  EXPECT_EQ(array.BufferSize(), req.ByteSizeLong());
  BufferArrayZeroCopyInputStream in(util::BufferArrayView(array).NativeHandle());
  ASSERT_TRUE(copy.ParseFromZeroCopyStream(&in));
  EXPECT_EQ(copy.load(), req.load());
}

TEST(Status, HasAimRTsTexts) {
  EXPECT_EQ(rpc::Status().ToString(), "suc, code 0, msg: OK");
  EXPECT_EQ(rpc::Status(AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED).ToString(), "fail, code 1002, msg: Server not implemented");
  EXPECT_EQ(rpc::Status(4242u).ToString(), "fail, code 4242, msg: Unknown code");
  EXPECT_FALSE(rpc::Status(1u));
  rpc::Status status;
  status.SetCode(AIMRT_RPC_STATUS_TIMEOUT);
  EXPECT_EQ(status.Code(), 2u);
  EXPECT_EQ(rpc::Status::GetCodeMsg(2011), "Client side not ready");
}

TEST(Context, KeepsMetadataTimeoutAndUse) {
  rpc::Context context;
  EXPECT_EQ(context.ToString(), "Client context, timeout: 0ms, meta: {}");
  context.SetTimeout(5s);
  context.SetMetaValue("k", "v");
  context.SetMetaValue("k2", "v2");
  EXPECT_EQ(context.ToString(), R"(Client context, timeout: 5000ms, meta: {{"k":"v"},{"k2":"v2"}})");
  context.SetUsed();
  const rpc::Context copy(context);
  EXPECT_FALSE(copy.CheckUsed());
  EXPECT_EQ(copy.GetMetaValue("k2"), "v2");
  EXPECT_EQ(copy.Timeout(), 5s);
  const rpc::Context again{rpc::ContextRef(context)};
  EXPECT_EQ(again.ToString(), context.ToString());
  context.Reset();
  EXPECT_FALSE(context.CheckUsed());
  EXPECT_TRUE(context.GetMetaKeys().empty());
  EXPECT_EQ(rpc::Context(AIMRT_RPC_SERVER_CONTEXT).ToString(), "Server context, timeout: 0ms, meta: {}");
  context.SetToAddr("local://rpc");
  context.SetSerializationType("json");
  EXPECT_EQ(context.GetToAddr(), "local://rpc");
  EXPECT_EQ(context.GetMetaKeyVals().at("aimrt-serialization_type"), "json");
}

TEST(Context, TakesAnyNumberAndSizeOfPairs) {
  rpc::Context context;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 100; ++i) context.SetMetaValue("key" + std::to_string(i), std::string(static_cast<size_t>(i * (round + 1)), 'a'));
  const rpc::Context copy(context);
  EXPECT_EQ(copy.GetMetaKeys().size(), 100u);
  for (int i = 0; i < 100; ++i) {
    const auto value = copy.GetMetaValue("key" + std::to_string(i));
    EXPECT_EQ(value.size(), static_cast<size_t>(2 * i));
    EXPECT_EQ(value.data()[value.size()], '\0') << "readers use it as a C text";
  }
  context.SetMetaValue("key99", context.GetMetaValue("key1"));
  EXPECT_EQ(context.GetMetaValue("key99"), "aa");
  EXPECT_EQ(context.GetMetaValue("nokey"), "");
}

TEST(Context, KeepsTextsOfEverySize) {
  std::string text;
  for (char c = '0'; c <= 'z'; ++c) text += c;  // no two bytes are equal
  for (size_t size = 1; size <= text.size(); ++size) {
    rpc::Context context;
    const std::string key = text.substr(text.size() - size), value = text.substr(0, size);
    context.SetMetaValue(key, value);
    context.SetMetaValue("next", "n");
    EXPECT_EQ(context.GetMetaKeyVals().at(key), value);
    EXPECT_EQ(context.GetMetaValue(key).data()[size], '\0');
    EXPECT_EQ(context.GetMetaValue("next"), "n");
  }
  rpc::Context empty;
  empty.SetMetaValue("k", std::string_view());
  EXPECT_EQ(empty.GetMetaKeys(), std::vector<std::string_view>{"k"});
  EXPECT_EQ(empty.GetMetaValue("k"), "");
}

TEST(Refs, NullThrows) {
  EXPECT_FALSE(CoreRef());
  const rpc::ContextRef null;
  EXPECT_FALSE(null);
  try {
    static_cast<void>(null.Timeout());
    FAIL();
  } catch (const common::util::AimRTException& e) {
    EXPECT_NE(std::string(e.what()).find("]: Reference is null."), std::string::npos);
  }
  EXPECT_THROW(static_cast<void>(rpc::Context(rpc::ContextRef())), common::util::AimRTException);
  EXPECT_THROW(static_cast<void>(rpc::RpcHandleRef().RegisterService(nullptr)), common::util::AimRTException);
  EXPECT_THROW(static_cast<void>(logger::LoggerRef().GetLogLevel()), common::util::AimRTException);
  EXPECT_THROW(static_cast<void>(channel::ChannelHandleRef().GetPublisher("t")), common::util::AimRTException);
  EXPECT_THROW(executor::ExecutorRef().Execute([] {}), common::util::AimRTException);
}

TEST(Core, LeadsToEverything) {
  fake::core host;
  const CoreRef core(host.base());
  EXPECT_EQ(core.Info().name, "fake");
  EXPECT_EQ(core.Info().patch_version, 3u);
  EXPECT_EQ(core.GetConfigurator().GetConfigFilePath(), "/etc/robot.yaml");
  EXPECT_NE(core.GetAllocator().GetThreadLocalBuf(100), nullptr);
  EXPECT_TRUE(core.GetRpcHandle());
  EXPECT_FALSE(core.GetExecutorManager().GetExecutor("nowhere"));
  core.GetParameterHandle().SetParameter("speed", "fast");
  EXPECT_EQ(core.GetParameterHandle().GetParameter("speed"), "fast");
  EXPECT_EQ(core.GetParameterHandle().GetParameter("colour"), "");
}

class Executors : public ::testing::Test {
 protected:
  fake::core host;
  executor::ExecutorRef work = CoreRef(host.base()).GetExecutorManager().GetExecutor("work");
};

TEST_F(Executors, RunTasks) {
  EXPECT_EQ(work.Name(), "work");
  EXPECT_TRUE(work.ThreadSafe());
  std::promise<bool> inside;
  work.Execute([&] { work.Dispatch([&] { inside.set_value(work.IsInCurrentExecutor()); }); });
  EXPECT_TRUE(inside.get_future().get());
  const auto begin = work.Now();
  std::promise<void> later;
  work.ExecuteAfter(5ms, [&] { later.set_value(); });
  later.get_future().wait();
  EXPECT_GE(work.Now() - begin, 5ms);
  host.work.has_timer = false;
  EXPECT_THROW(work.ExecuteAfter(1ms, [] {}), common::util::AimRTException);
}

TEST_F(Executors, TryExecute_CountsUntilTheTaskIsGone) {
  util::DynamicLatch latch;
  std::promise<void> go;
  auto gate = go.get_future().share();
  EXPECT_TRUE(work.TryExecute(latch, [gate] { gate.wait(); }));
  EXPECT_EQ(latch.GetCurrentCount(), 1u);
  go.set_value();
  latch.CloseAndWait();
  EXPECT_TRUE(latch.IsClosed());
  EXPECT_FALSE(work.TryExecute(latch, [] {}));
}

TEST_F(Executors, Timer_TicksKeepTheirPhaseAndSkipLateOnes) {
  std::promise<void> third;
  std::vector<std::chrono::system_clock::time_point> ticks;
  const auto timer = executor::CreateTimer(
      work, 10ms,
      [&](executor::TimerBase& self) {
        ticks.push_back(self.NextCallTime());
        if (ticks.size() == 1) std::this_thread::sleep_until(self.NextCallTime() + 25ms);  // hides two ticks
        if (ticks.size() == 3) {
          self.Cancel();
          third.set_value();
        }
      },
      false);
  EXPECT_TRUE(timer->IsCancelled());
  EXPECT_EQ(timer->Period(), 10ms);
  timer->Reset();
  EXPECT_FALSE(timer->IsCancelled());
  third.get_future().wait();
  EXPECT_GE(ticks[1] - ticks[0], 30ms) << "the hidden ticks are left out";
  EXPECT_EQ((ticks[1] - ticks[0]) % 10ms, 0ns) << "the phase stays";
  EXPECT_EQ((ticks[2] - ticks[1]) % 10ms, 0ns);
  EXPECT_TRUE(timer->IsCancelled());
  EXPECT_LE(timer->TimeUntilNextCall(), 10ms);
  int ran = 0;
  const auto plain = executor::CreateTimer(work, 1h, [&ran] { ++ran; });
  plain->ExecuteTask();
  EXPECT_EQ(ran, 1);
  EXPECT_THROW(executor::CreateTimer(work, 0ms, [] {}), common::util::AimRTException);
}

TEST_F(Executors, Timer_WithoutAnOwnerEnds) {
  auto alive = std::make_shared<int>(0);
  std::promise<void> first;
  auto timer = executor::CreateTimer(work, 1ms, [alive, &first, told = false]() mutable {
    if (!std::exchange(told, true)) first.set_value();
  });
  first.get_future().wait();
  timer.reset();
  host.work.stop();
  EXPECT_EQ(alive.use_count(), 1);
}

class Macros : public ::testing::Test {
 protected:
  logger::LoggerRef GetLogger() const { return CoreRef(host.base()).GetLogger(); }
  std::vector<std::string> Texts() const {
    std::vector<std::string> texts;
    for (const auto& line : host.lines) texts.push_back(line.text);
    return texts;
  }
  fake::core host;
};

TEST_F(Macros, WriteLevelPlaceAndText) {
  AIMRT_TRACE("t");
  AIMRT_DEBUG("d {}", 1);
  AIMRT_INFO_STREAM("i" << 2);
  AIMRT_HL_WARN(GetLogger(), "w {}", "x");
  AIMRT_ERROR("e");
  AIMRT_FATAL("f");
  ASSERT_EQ(host.lines.size(), 6u);
  for (uint32_t level = 0; level < 6; ++level) EXPECT_EQ(host.lines[level].level, level);
  EXPECT_EQ(host.lines[2].text, "i2");
  EXPECT_EQ(host.lines[3].text, "w x");
  EXPECT_EQ(host.lines[5].line, static_cast<uint32_t>(__LINE__) - 5u);
  EXPECT_EQ(host.lines[0].function, "TestBody");
  EXPECT_NE(host.lines[0].file.find("parts_test.cc"), std::string::npos);
}

TEST_F(Macros, LeaveArgumentsAloneBelowTheLevel) {
  host.log_level = AIMRT_LOG_LEVEL_ERROR;
  int evaluated = 0;
  AIMRT_WARN("{}", ++evaluated);
  AIMRT_HL_INFO(GetLogger(), "{}", ++evaluated);
  AIMRT_WARN_STREAM(++evaluated);
  EXPECT_EQ(evaluated, 0);
  AIMRT_ERROR("{}", ++evaluated);
  EXPECT_EQ(evaluated, 1);
}

TEST_F(Macros, OnceIfEveryIntervalAndCheck) {
  for (int i = 0; i < 5; ++i) {
    AIMRT_INFO_ONCE("once {}", i);
    AIMRT_INFO_EVERY(2, "every {}", i);
    AIMRT_INFO_IF(i == 3, "if {}", i);
    AIMRT_INFO_INTERVAL(60'000, "interval {}", i);
    AIMRT_HL_INFO_INTERVAL(GetLogger(), 60'000, "hl {}", i);
    AIMRT_CHECK_INFO(i != 4, "check {}", i);
    AIMRT_HL_CHECK_INFO(GetLogger(), i != 4, "hl check {}", i);
  }
  const auto texts = Texts();
  const std::vector<std::string> want = {"once 0",  "every 0", "interval 0", "hl 0", "every 2", "if 3", "every 4", "check 4", "hl check 4"};
  EXPECT_EQ(texts, want);
}

TEST_F(Macros, Throw) {
  const auto message = [](auto&& f) -> std::string {
    try {
      f();
    } catch (const common::util::AimRTException& e) {
      return e.what();
    }
    return "nothing thrown";
  };
  EXPECT_EQ(message([&] { AIMRT_CHECK_ERROR_THROW(1 > 2, "wrong {}", 1); }), "wrong 1");
  EXPECT_EQ(message([&] { AIMRT_HL_CHECK_ERROR_THROW(GetLogger(), true, "right"); }), "nothing thrown");
  EXPECT_EQ(message([&] { AIMRT_HL_FATAL_THROW(GetLogger(), "end"); }), "end");
  host.log_level = AIMRT_LOG_LEVEL_OFF;
  EXPECT_EQ(message([&] { AIMRT_WARN_THROW("quiet {}", 2); }), "quiet 2");
  EXPECT_EQ(Texts(), (std::vector<std::string>{"wrong 1", "end"}));
  const auto asserted = message([&] { AIMRT_ASSERT(false, "n = {}", 3); });
  EXPECT_TRUE(asserted.ends_with("]: n = 3")) << asserted;
}

TEST_F(Macros, SimpleLogger_WritesOneLineToStderr) {
  ::testing::internal::CaptureStderr();
  AIMRT_HL_WARN(logger::GetSimpleLoggerRef(), "to stderr {}", 1);
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(line.ends_with("]to stderr 1\n")) << line;
  EXPECT_NE(line.find("][Warn]["), std::string::npos) << line;
}

class Arm : public ModuleBase {
 public:
  ModuleInfo Info() const override { return {.name = "Arm", .minor_version = 2, .author = "us"}; }
  bool Initialize(CoreRef core) override {
    if (core.Info().name == "throw") throw std::runtime_error("no motor");
    return true;
  }
  bool Start() override { throw 5; }
  void Shutdown() override { throw std::runtime_error("stuck"); }
};

TEST(Module, ExceptionsGoToTheLogAndRefuseTheStep) {
  fake::core host;
  const auto arm = std::make_unique<Arm>();
  const aimrt_module_base_t* base = arm->NativeHandle();
  EXPECT_EQ(fake::text(base->info(base->impl).name), "Arm");
  EXPECT_EQ(base->info(base->impl).minor_version, 2u);
  EXPECT_TRUE(base->initialize(base->impl, host.base()));
  host.name = "throw";
  EXPECT_FALSE(base->initialize(base->impl, host.base()));
  EXPECT_FALSE(base->start(base->impl));
  base->shutdown(base->impl);
  ASSERT_EQ(host.lines.size(), 3u);
  EXPECT_EQ(host.lines[0].text, "Initialize module get exception: no motor");
  EXPECT_EQ(host.lines[0].level, static_cast<uint32_t>(AIMRT_LOG_LEVEL_ERROR));
  EXPECT_EQ(host.lines[2].text, "Shutdown module get exception: stuck");
}

TEST(Channel, PublishesAndSubscribes) {
  fake::core host;
  const auto handle = CoreRef(host.base()).GetChannelHandle();
  const auto publisher = handle.GetPublisher("topic");
  const auto subscriber = handle.GetSubscriber("topic");
  EXPECT_EQ(publisher.GetTopic(), "topic");
  EXPECT_TRUE(channel::RegisterPublishType<MoveReq>(publisher));
  std::string got;
  EXPECT_TRUE(channel::Subscribe<MoveReq>(subscriber, [&](const std::shared_ptr<const MoveReq>& msg) { got += "a" + msg->joint(); }));
  EXPECT_TRUE(channel::Subscribe<MoveReq>(
      subscriber, [&](channel::ContextRef context, const std::shared_ptr<const MoveReq>& msg) { got += context.GetMetaValue("k").data() + msg->joint(); }));
  EXPECT_TRUE(channel::SubscribeCo<MoveReq>(subscriber, [&](const MoveReq& msg) -> co::Task<void> {
    got += "c" + msg.joint();
    co_return;
  }));
  MoveReq msg;
  msg.set_joint("1");
  channel::PublisherProxy<MoveReq> proxy(publisher);
  const auto context = proxy.NewContextSharedPtr();
  context->SetMetaValue("k", "b");
  proxy.Publish(context, msg);
  EXPECT_EQ(got, "a1b1c1");
  EXPECT_EQ(host.released, 3);
  channel::Publish(publisher, msg);
  EXPECT_EQ(host.published, 2);
}

TEST(Util, TextsLatchesAndQueues) {
  namespace u = common::util;
  EXPECT_EQ(u::SplitToVec<int>("1, 2,,3", ","), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(u::SplitToVec("a;;b ", ";", false, false), (std::vector<std::string>{"a", "", "b "}));
  EXPECT_EQ(u::JoinVec(std::vector<int>{1, 2}, "-"), "1-2");
  EXPECT_EQ(u::Map2Str(std::map<std::string, int>{{"a", 1}}), R"({"a":"1"})");
  std::string text = "a.b.c";
  EXPECT_EQ(u::ReplaceString(text, ".", "::"), "a::b::c");
  EXPECT_EQ(u::GetTimestampNs(u::GetTimePointFromTimestampMs(5)), 5'000'000u);
  EXPECT_EQ(util::VersionToInt("1.7.3-rc1"), 1'007'003u);
  static_assert(AIMRT_RUNTIME_VERSION_INT >= 1'000'000 && AIMRT_MIN_GENCODE_VERSION_INT <= 1'000'000);
  static_assert(u::SameArguments<void (*)(int), int (*)(int)>);
  EXPECT_EQ(rpc::GetFullFuncName("pb", "p.S", "M"), "pb:/p.S/M");
  EXPECT_EQ(rpc::GetFuncNameWithoutPrefix("pb:/p.S/M"), "/p.S/M");
  EXPECT_EQ(rpc::GetFuncNameWithoutPrefix("p.S/M"), "p.S/M");
  u::BlockQueue<int> queue(1);
  queue.Enqueue(1);
  EXPECT_EQ(queue.TryDequeue(), 1);
  EXPECT_EQ(queue.TryDequeue(), std::nullopt);
  queue.Stop();
  EXPECT_THROW(queue.Enqueue(2), u::AimRTException);
}

}  // namespace

static std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> pkg_modules[] = {
    {"Arm", []() -> aimrt::ModuleBase* { return new Arm(); }},
    {"Broken", []() -> aimrt::ModuleBase* { throw std::runtime_error("no"); }},
};
AIMRT_PKG_MAIN(pkg_modules)

TEST(Pkg, EntryPointsMakeAndDestroyModules) {
  ASSERT_EQ(AimRTDynlibGetModuleNum(), 2u);
  EXPECT_EQ(fake::text(AimRTDynlibGetModuleNameList()[1]), "Broken");
  const aimrt_module_base_t* arm = AimRTDynlibCreateModule({"Arm", 3});
  ASSERT_NE(arm, nullptr);
  EXPECT_EQ(fake::text(arm->info(arm->impl).name), "Arm");
  AimRTDynlibDestroyModule(arm);
  EXPECT_EQ(AimRTDynlibCreateModule({"Broken", 6}), nullptr);
  EXPECT_EQ(AimRTDynlibCreateModule({"Leg", 3}), nullptr);
  AimRTDynlibDestroyModule(nullptr);
}
