// A module that answers every other one and asks the one it is told to: how it serves and how it calls are the template's arguments.
// PAIRS_FAULT=overrun reads behind a block of the heap in an answer, PAIRS_FAULT=leak loses one: what AddressSanitizer must find.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "aimrt_module_cpp_interface/aimrt_module_cpp_interface.h"
#include "peer.aimrt_rpc.pb.h"

namespace pairs {

using aimrt::rpc::Status;
using ContextPtr = std::shared_ptr<aimrt::rpc::Context>;

constexpr std::string_view kNames[] = {"Arm", "Base", "Camera", "Drive", "Ears", "Face"};
constexpr std::chrono::seconds kCallLimit{30};  // only a hang takes so long

inline std::string ServiceName(std::string_view name) { return "pairs." + std::string(name); }

// What a service needs of its module.
class Member {
 public:
  virtual ~Member() = default;
  virtual void Answer(std::string_view serialization, const Question& question, ::pairs::Answer& answer) = 0;
  virtual void Tour(const TourReq& req, TourRsp& rsp) = 0;
};

// On the caller's thread.
class SyncPeer : public PeerSyncService {
 public:
  SyncPeer(Member& member, aimrt::CoreRef) : member_(member) {}

 private:
  Status Ask(aimrt::rpc::ContextRef context, const Question& req, Answer& rsp) override {
    member_.Answer(context.GetSerializationType(), req, rsp);
    return {};
  }
  Status Tour(aimrt::rpc::ContextRef, const TourReq& req, TourRsp& rsp) override {
    member_.Tour(req, rsp);
    return {};
  }
  Member& member_;
};

// Answers on one executor and asks on another, for a tour blocks its thread.
class AsyncPeer : public PeerAsyncService {
 public:
  AsyncPeer(Member& member, aimrt::CoreRef core)
      : member_(member), work_(core.GetExecutorManager().GetExecutor("work")), tours_(core.GetExecutorManager().GetExecutor("tours")) {}

 private:
  using Callback = std::function<void(Status)>;
  void Ask(aimrt::rpc::ContextRef context, const Question& req, Answer& rsp, Callback&& callback) override {
    work_.Execute([this, context, &req, &rsp, callback = std::move(callback)] {
      member_.Answer(context.GetSerializationType(), req, rsp);
      callback({});
    });
  }
  void Tour(aimrt::rpc::ContextRef, const TourReq& req, TourRsp& rsp, Callback&& callback) override {
    tours_.Execute([this, &req, &rsp, callback = std::move(callback)] {
      member_.Tour(req, rsp);
      callback({});
    });
  }
  Member& member_;
  aimrt::executor::ExecutorRef work_, tours_;
};

// The same as coroutines.
class CoPeer : public PeerCoService {
 public:
  CoPeer(Member& member, aimrt::CoreRef core)
      : member_(member), work_(core.GetExecutorManager().GetExecutor("work")), tours_(core.GetExecutorManager().GetExecutor("tours")) {}

 private:
  aimrt::co::Task<Status> Ask(aimrt::rpc::ContextRef context, const Question& req, Answer& rsp) override {
    co_await aimrt::co::Schedule(work_);
    member_.Answer(context.GetSerializationType(), req, rsp);
    co_return Status();
  }
  aimrt::co::Task<Status> Tour(aimrt::rpc::ContextRef, const TourReq& req, TourRsp& rsp) override {
    co_await aimrt::co::Schedule(tours_);
    member_.Tour(req, rsp);
    co_return Status();
  }
  Member& member_;
  aimrt::co::AimRTScheduler work_, tours_;
};

// One call by each kind of proxy, waited for.
inline Status Ask(PeerSyncProxy& proxy, const ContextPtr& context, const Question& req, Answer& rsp) { return proxy.Ask(context, req, rsp); }
inline Status Ask(PeerAsyncProxy& proxy, const ContextPtr& context, const Question& req, Answer& rsp) {
  std::promise<Status> done;
  proxy.Ask(context, req, rsp, [&done](Status status) { done.set_value(status); });
  return done.get_future().get();
}
inline Status Ask(PeerFutureProxy& proxy, const ContextPtr& context, const Question& req, Answer& rsp) {
  return proxy.Ask(context, req, rsp).get();
}
inline Status Ask(PeerCoProxy& proxy, const ContextPtr& context, const Question& req, Answer& rsp) {
  return *aimrt::co::SyncWait(proxy.Ask(context, req, rsp));
}

inline bool Fault(std::string_view kind) {
  const char* wanted = std::getenv("PAIRS_FAULT");
  return wanted != nullptr && kind == wanted;
}

template <class Service, class Proxy>
class Module : public aimrt::ModuleBase, public Member {
 public:
  explicit Module(std::string name) : name_(std::move(name)) {}
  aimrt::ModuleInfo Info() const override { return {.name = name_}; }

  bool Initialize(aimrt::CoreRef core) override {
    const auto handle = core.GetRpcHandle();
    service_ = std::make_unique<Service>(*this, core);
    if (!handle.RegisterService(ServiceName(name_), service_.get())) return false;
    for (const auto target : kNames) {
      if (target == name_) continue;
      if (!RegisterPeerClientFunc(handle, ServiceName(target))) return false;
      proxies_.emplace(target, std::make_unique<Proxy>(handle, ServiceName(target)));
    }
    return true;
  }
  bool Start() override { return true; }
  void Shutdown() override {}

 private:
  void Answer(std::string_view serialization, const Question& question, ::pairs::Answer& answer) override {
    answer.set_answerer(name_);
    answer.set_asker(question.asker());
    answer.set_serialization(std::string(serialization));
    answer.set_text(question.text() + " from " + name_);
    answer.set_number(question.number());
    answer.set_load(question.load());
    std::reverse(answer.mutable_load()->begin(), answer.mutable_load()->end());
    if (Fault("overrun")) {
      const std::unique_ptr<volatile char[]> block(new volatile char[question.number() + 1]);
      answer.set_number(static_cast<unsigned char>(block[question.number() + 1]));
    }
    if (Fault("leak")) static_cast<void>(*new volatile char[1000]);
  }

  void Tour(const TourReq& req, TourRsp& rsp) override {
    Proxy& proxy = *proxies_.at(req.target());
    Question question;
    question.set_asker(name_);
    question.set_text("\"Grüße\\\n\" to " + req.target());
    question.set_number(req.number());
    std::string& load = *question.mutable_load();
    for (uint32_t i = 0; i < req.load_bytes(); ++i) load.push_back(static_cast<char>(i + static_cast<unsigned char>(name_[0])));
    const auto context = proxy.NewContextSharedPtr();
    context->SetSerializationType(req.serialization());
    context->SetTimeout(kCallLimit);
    rsp.set_code(Ask(proxy, context, question, *rsp.mutable_answer()).Code());
  }

  std::string name_;
  std::unique_ptr<Service> service_;
  std::map<std::string, std::unique_ptr<Proxy>, std::less<>> proxies_;
};

}  // namespace pairs
