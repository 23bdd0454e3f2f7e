// context->sub(): subscribers.
#pragma once

#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/context/details/concepts.h"
#include "aimrt_module_cpp_interface/context/op_base.h"
#include "aimrt_module_cpp_interface/context/res/channel.h"

namespace aimrt::context {

class OpSub : public OpBase {
 public:
  using OpBase::OpBase;

  template <typename T>
  res::Subscriber<T> Init(std::string topic) const {
    const channel::SubscriberRef subscriber = Core().GetChannelHandle().GetSubscriber(topic);
    if (!subscriber) Fail("There is no subscriber for topic '" + topic + "'.");
    return res::Subscriber<T>(std::move(topic), subscriber);
  }

  // The callback takes a shared_ptr<const T> or a const T&, with or without a ContextRef before it; it may be a coroutine.
  template <typename T, concepts::Subscriber<T> F>
  void SubscribeInline(const res::Subscriber<T>& subscriber, F&& f) const {
    SubscribeOn(subscriber, executor::ExecutorRef(), std::forward<F>(f));
  }
  template <typename T, concepts::Subscriber<T> F>
  void SubscribeOn(const res::Subscriber<T>& subscriber, executor::ExecutorRef executor, F&& f) const;
};

}  // namespace aimrt::context
