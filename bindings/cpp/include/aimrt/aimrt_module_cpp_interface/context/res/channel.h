// A topic, as its publisher and as its subscriber. context.h has the functions that need the context.
#pragma once

#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/channel/channel_handle.h"
#include "aimrt_module_cpp_interface/context/res/base.h"

namespace aimrt::context {

class OpPub;
class OpSub;

namespace res {

template <typename T>
class Publisher : public details::Base {
  friend class ::aimrt::context::OpPub;

 public:
  Publisher() = default;

  // Dropped when the context's publishers are off.
  void Publish(const T& msg) const { Publish(channel::ContextRef(), msg); }
  void Publish(channel::ContextRef context, const T& msg) const;
  void operator()(const T& msg) const { Publish(msg); }

 private:
  Publisher(std::string topic, channel::PublisherRef publisher) : Base(std::move(topic)), publisher_(publisher) {}

  channel::PublisherRef publisher_;
};

template <typename T>
class Subscriber : public details::Base {
  friend class ::aimrt::context::OpSub;

 public:
  Subscriber() = default;

  // Called once, while the module initializes.
  template <typename F>
  void SubscribeInline(F&& f) const;
  template <typename F>
  void SubscribeOn(executor::ExecutorRef executor, F&& f) const;

 private:
  Subscriber(std::string topic, channel::SubscriberRef subscriber) : Base(std::move(topic)), subscriber_(subscriber) {}

  channel::SubscriberRef subscriber_;
};

template <typename T>
using Channel = Subscriber<T>;

}  // namespace res
}  // namespace aimrt::context
