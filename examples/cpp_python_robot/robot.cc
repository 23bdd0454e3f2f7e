// A robot arm in C++ that joins the runtime of a Python process: it serves robot.Arm/Move and asks a Python service,
// robot.Safety/Allows, before every move. Python loads this library with ctypes and calls robot_attach.
#include <aimrt_rpc/aimrt_rpc.hpp>
#include <aimrt_rpc/type_support_pb.hpp>

#include "robot.pb.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace rpc = aimrt_rpc;

namespace {

class arm : public std::enable_shared_from_this<arm> {
 public:
  rpc::result<void> initialize(rpc::module self) {
    const rpc::rpc_handle handle = self.rpc_handle();
    auto allows = handle.register_client<robot::Point, robot::Verdict>("pb:/robot.Safety/Allows");
    if (!allows) return std::move(allows).error();
    allows_ = *allows;
    auto served = handle.register_service<robot::Point, robot::MoveResponse>(
        "pb:/robot.Arm/Move", [body = shared_from_this()](const robot::Point &to, robot::MoveResponse &response) {
          return body->move(to, response);
        });
    if (!served) return std::move(served).error();
    self.log(rpc::log_level::debug, "the arm is ready");
    return {};
  }

 private:
  // A coroutine: no thread waits while Python thinks.
  rpc::task<rpc::status> move(const robot::Point &to, robot::MoveResponse &response) {
    auto context = rpc::context::create();
    if (!context) co_return rpc::status(rpc::code::unavailable, context.error().message());
    static_cast<void>(context->set_serialization("json"));  // the Python side needs no generated messages

    robot::Verdict verdict;
    rpc::status asked = co_await allows_.co_invoke(*context, to, verdict);
    if (!asked) co_return asked;
    if (!verdict.allowed()) co_return rpc::status(rpc::code::permission_denied, verdict.reason());

    const std::lock_guard<std::mutex> lock(mutex_);
    response.set_distance(std::hypot(to.x() - at_.x(), to.y() - at_.y(), to.z() - at_.z()));
    at_ = to;
    *response.mutable_at() = at_;
    co_return rpc::status();
  }

  rpc::method<robot::Point, robot::Verdict> allows_;
  std::mutex mutex_;
  robot::Point at_;
};

}  // namespace

// Creates the module "arm" in a runtime that is already in the process, before it is initialized. Gives 0, or the number of the
// result that says why not. The runtime stays its owner's.
extern "C" __attribute__((visibility("default"))) std::int32_t robot_attach(std::uint64_t runtime) {
  rpc::module_options options;
  options.name = "arm";
  options.package = "robot";
  options.initialize = [body = std::make_shared<arm>()](rpc::module self) { return body->initialize(self); };
  const auto module = rpc::runtime_ref(runtime).create_module(std::move(options));
  return module ? 0 : module.error().code();
}
