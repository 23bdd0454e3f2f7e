// Calls over connections: typed and raw, in both directions, over tcp, unix sockets and inside the process, in every encoding.
#include "fixture.hpp"

#include <aimrt_rpc/aiomas.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace rpc = aimrt_rpc;
namespace aiomas = aimrt_rpc::aiomas;
using namespace std::chrono_literals;
using fixture::good;

namespace {

std::string join(std::vector<std::string> words, std::optional<std::string> with) {
  std::string all;
  for (const auto &word : words) all += (all.empty() ? "" : with.value_or(" ")) + word;
  return all;
}

// A server and a client in one runtime: `to` is the client's end, `from` the server's.
class Aiomas : public fixture::Runtime, public testing::WithParamInterface<std::tuple<const char *, rpc::connection_codec>> {
 protected:
  void SetUp() override {
    fixture::Runtime::SetUp();
    start();
    served = good(rpc::router::create(callee));
    own = good(rpc::router::create(caller));
    std::string address = std::get<0>(GetParam());
    if (address == "unix") address = "unix:///tmp/aimrt_rpc_cpp_" + std::to_string(getpid());
    rpc::connection_options options;
    options.address = address;
    options.codec = std::get<1>(GetParam());
    options.serves = served.native();
    listening = good(rpc::listener::listen(callee, options, [this](rpc::connection accepted) {
      from = std::move(accepted);
      arrived.open();
    }));
    const std::string found = good(listening.address());
    options.address = found;
    options.serves = own.native();
    options.timeout = 10s;
    to = good(rpc::connection::dial(caller, options));
    ASSERT_TRUE(arrived.wait());
  }

  void TearDown() override {
    to = rpc::connection();
    from = rpc::connection();
    listening = rpc::listener();
    fixture::Runtime::TearDown();
  }

  template <class Signature>
  aiomas::remote<Signature> bind(std::string_view path) {
    return good(aiomas::bind<Signature>(to, path));
  }

  rpc::router served, own;
  rpc::listener listening;
  rpc::connection to, from;
  fixture::gate arrived;
};

class AiomasRefusals : public fixture::Runtime {};

TEST_P(Aiomas, TypedCalls_InEveryForm) {
  good(aiomas::serve(served, "math/add", [](int a, int b) { return a + b; }));
  good(aiomas::serve(served, "text/join", join, {"words", "with"}));
  auto add = bind<int(int, int)>("math/add");
  auto sum = add.invoke_sync(1, 2);
  ASSERT_TRUE(sum.ok()) << sum.status().to_string();
  EXPECT_EQ(sum.value(), 3);
  EXPECT_EQ(add.invoke_future(20, -22).get().value(), -2);
  fixture::gate ended;
  int got = 0;
  add.invoke(3, 4, [&](aiomas::answer<int> answer) {
    got = answer.ok() ? answer.value() : -1;
    ended.open();
  });
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(got, 7);
  auto with = good(rpc::context::create());
  EXPECT_TRUE(with.set_timeout(30s));
  EXPECT_EQ(add.invoke_sync(with, 5, 6).value(), 11);
  EXPECT_EQ((bind<std::string(std::vector<std::string>, std::string)>("text/join").invoke_sync({"a", "b"}, "-").value()), "a-b");
  EXPECT_EQ((bind<std::string(std::vector<std::string>)>("text/join").invoke_sync({"a", "b"}).value()), "a b");
#if defined(AIMRT_RPC_HAS_COROUTINES)
  const auto both = [](aiomas::remote<int(int, int)> f) -> rpc::task<int> {
    const auto first = co_await f.co_invoke(1, 1);
    const auto second = co_await f.co_invoke(first.value(), 1);
    co_return second.value();
  };
  EXPECT_EQ(rpc::sync_wait(both(add)), 3);
#endif
}

TEST_P(Aiomas, ManyTypes_GoThrough) {
  using table = std::map<std::string, std::vector<double>>;
  good(aiomas::serve(served, "echo", [](rpc::value what) { return what; }));
  good(aiomas::serve(served, "table", [](const table &what, bool keep) { return keep ? what : table(); }));
  good(aiomas::serve(served, "nothing", [] {}));
  const auto same = [&](const auto &what) {
    using T = std::decay_t<decltype(what)>;
    auto got = bind<T(T)>("echo").invoke_sync(what);
    ASSERT_TRUE(got.ok()) << got.status().to_string();
    EXPECT_EQ(got.value(), what);
  };
  same(std::string("\xc3\xa4 \" \\ \n"));
  same(-(std::int64_t{1} << 62));
  same(0.1);
  same(true);
  same(std::optional<int>());
  same(table{{"a", {1, 2.5}}, {"", {}}});
  same(std::tuple<int, std::string>{1, "x"});
  same(std::string(1 << 20, 'x'));
  EXPECT_EQ((bind<table(table, bool)>("table").invoke_sync({{"k", {1}}}, true).value()), (table{{"k", {1.0}}}));
  EXPECT_TRUE(bind<void()>("nothing").invoke_sync().ok());
  EXPECT_TRUE(bind<std::nullptr_t()>("nothing").invoke_sync().ok());
  EXPECT_EQ(bind<int()>("nothing").invoke_sync().status().code(), rpc::code::cli_deserialization_failed);
}

TEST_P(Aiomas, Failures_TellWhatIsWrong) {
  good(aiomas::serve(served, "add", [](int a, int b) { return a + b; }, {"a", "b"}));
  good(aiomas::serve(served, "throws", [](int) -> int { throw std::runtime_error("spam is out"); }));
  good(aiomas::serve(served, "refuses", [](int what) -> aiomas::answer<int> {
    if (what < 0) return rpc::status(rpc::code::invalid_argument, "no spam below 0");
    return what;
  }));
  const auto failure = [](const auto &got) {
    EXPECT_FALSE(got.ok());
    return got.status().to_string();
  };
  EXPECT_NE(failure(bind<int(int)>("add").invoke_sync(1)).find("missing argument 'b'"), std::string::npos);
  EXPECT_NE(failure(bind<int(int, int, int)>("add").invoke_sync(1, 2, 3)).find("takes 2 arguments, but 3 were given"), std::string::npos);
  EXPECT_NE(failure(bind<int(int, std::string)>("add").invoke_sync(1, "x")).find("argument 'b': string"), std::string::npos);
  EXPECT_NE(failure(bind<int(int)>("throws").invoke_sync(1)).find("spam is out"), std::string::npos);
  EXPECT_NE(failure(bind<int(int)>("refuses").invoke_sync(-1)).find("no spam below 0"), std::string::npos);
  EXPECT_EQ(bind<int(int)>("refuses").invoke_sync(4).value(), 4);
  EXPECT_NE(failure(bind<int()>("math/nothing").invoke_sync()).find("math"), std::string::npos);
  // By name, as a Python peer may give them.
  auto raw = bind<int()>("add").raw();
  rpc::value_writer named(good(to.encoding()));
  named.array(2);
  named.array(1);
  named.write(40);
  named.map(1);
  named.string("b");
  named.write(2);
  EXPECT_EQ(*rpc::value_view(raw.invoke_sync(named.bytes()).payload()).get<int>(), 42);
  rpc::value_writer wrong(good(to.encoding()));
  wrong.array(2);
  wrong.array(2);
  wrong.write(40);
  wrong.write(1);
  wrong.map(1);
  wrong.string("c");
  wrong.write(2);
  EXPECT_NE(std::string(raw.invoke_sync(wrong.bytes()).status().message()).find("unexpected keyword"), std::string::npos);
}

TEST_P(Aiomas, References_AreCalledBack) {
  good(aiomas::serve(own, "agent/name", [] { return std::string("client"); }));
  good(aiomas::serve(served, "ask", [](const aiomas::caller &who, rpc::value agent) -> aiomas::answer<std::string> {
    auto over = who.over();
    if (!over) return rpc::status::from_error(over.error());
    auto proxy = aiomas::proxy::from(*over, agent.view());
    if (!proxy) return rpc::status::from_error(proxy.error());
    auto name = proxy->bind<std::string()>("name");
    if (!name) return rpc::status::from_error(name.error());
    return name->invoke_sync();
  }));
  good(aiomas::serve(served, "self", [](const aiomas::caller &who) -> aiomas::answer<rpc::value> {
    auto over = who.over();
    if (!over) return rpc::status::from_error(over.error());
    auto made = over->reference("math");
    if (!made) return rpc::status::from_error(made.error());
    return std::move(*made);
  }));
  good(aiomas::serve(served, "math/twice", [](int what) { return 2 * what; }));
  auto name = bind<std::string(rpc::value)>("ask").invoke_sync(good(to.reference("agent")));
  ASSERT_TRUE(name.ok()) << name.status().to_string();
  EXPECT_EQ(name.value(), "client");
  auto self = bind<rpc::value()>("self").invoke_sync();
  ASSERT_TRUE(self.ok()) << self.status().to_string();
  auto math = good(aiomas::proxy::from(to, self.value().view()));
  EXPECT_EQ(math.path(), "math");
  EXPECT_TRUE(math == good(aiomas::proxy::from(to, self.value().view())));
  EXPECT_EQ(good(math.bind<int(int)>("twice")).invoke_sync(21).value(), 42);
  EXPECT_EQ(aiomas::proxy::from(to, rpc::encode_value(1, good(to.encoding())).view()).error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  EXPECT_EQ(to.reference("nothing").error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  // The server calls first.
  EXPECT_EQ(good(aiomas::bind<std::string()>(from, "agent/name")).invoke_sync().value(), "client");
}

TEST_P(Aiomas, Close_EndsOpenCallsAndTellsBothEnds) {
  auto held = std::make_shared<fixture::gate>();
  auto kept = std::make_shared<std::optional<rpc::raw_server_call>>();
  good(served.register_raw_service("hold", [held, kept](rpc::raw_server_call call) {
    kept->emplace(std::move(call));
    held->open();
  }));
  fixture::gate here, there, ended;
  std::string reason;
  good(to.on_close([&](std::string_view why) {
    reason = why;
    here.open();
  }));
  good(from.on_close([&](std::string_view) { there.open(); }));
  auto hold = bind<int()>("hold");
  rpc::status how;
  hold.invoke([&](const aiomas::answer<int> &got) {
    how = got.status();
    ended.open();
  });
  EXPECT_TRUE(held->wait());
  good(from.close());
  EXPECT_TRUE(ended.wait());
  EXPECT_EQ(how.code(), rpc::code::connection_lost) << how.to_string();
  EXPECT_TRUE(here.wait());
  EXPECT_TRUE(there.wait());
  EXPECT_EQ(hold.invoke_sync().status().code(), rpc::code::connection_lost);
  bool at_once = false;
  good(to.on_close([&](std::string_view) { at_once = true; }));
  EXPECT_TRUE(at_once);
  EXPECT_FALSE((*kept)->finish("1")); // nobody waits
  auto copy = good(to.share());
  to = rpc::connection();
  EXPECT_TRUE(copy.peer());
  copy = rpc::connection();
  EXPECT_EQ(hold.invoke_sync().status().code(), rpc::code::cli_func_not_registered); // stale
}

TEST_P(Aiomas, ManyThreads_CallAtTheSameTime) {
  good(aiomas::serve(served, "double", [](int what) { return 2 * what; }));
  auto twice = bind<int(int)>("double");
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        auto got = twice.invoke_sync(1000 * t + i);
        if (!got.ok() || got.value() != 2 * (1000 * t + i)) ++wrong;
      }
    });
  for (auto &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(Links, Aiomas,
                         testing::Values(std::make_tuple("tcp://127.0.0.1:0", rpc::connection_codec::json),
                                         std::make_tuple("unix", rpc::connection_codec::msgpack),
                                         std::make_tuple("local://cpp", rpc::connection_codec::json),
                                         std::make_tuple("tcp://127.0.0.1:0", rpc::connection_codec::msgpack_blosc)));

TEST_F(AiomasRefusals, Dial_SaysWhatIsWrong) {
  rpc::connection_options options;
  EXPECT_EQ(rpc::connection::dial(caller, options).error().code(), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  options.address = "unix:///nowhere/at/all";
  EXPECT_EQ(rpc::connection::dial(caller, options).error().code(), AIMRT_RPC_RESULT_IO);
  options.dialect = "aiomass";
  auto unknown = rpc::connection::dial(caller, options);
  EXPECT_EQ(unknown.error().code(), AIMRT_RPC_RESULT_NOT_FOUND);
  EXPECT_EQ(unknown.error().detail("nearest"), "aiomas");
  EXPECT_EQ(rpc::connection().method("x").error().code(), AIMRT_RPC_RESULT_INVALID_HANDLE);
  auto router = good(rpc::router::create(caller));
  good(aiomas::serve(router, "a/b", [] {}));
  EXPECT_EQ(aiomas::serve(router, "a/b", [] {}).error().code(), AIMRT_RPC_RESULT_ALREADY_EXISTS);
  EXPECT_EQ(router.remove("a/c").error().detail("nearest"), "a/b");
  EXPECT_TRUE(good(router.remove("a/b")));
  auto sub = good(rpc::router::create(caller));
  EXPECT_TRUE(good(router.attach("sub", sub)));
}

}  // namespace
