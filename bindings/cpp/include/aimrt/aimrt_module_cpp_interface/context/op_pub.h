// context->pub(): publishers.
#pragma once

#include <string>
#include <utility>

#include "aimrt_module_cpp_interface/context/op_base.h"
#include "aimrt_module_cpp_interface/context/res/channel.h"

namespace aimrt::context {

class OpPub : public OpBase {
 public:
  using OpBase::OpBase;

  template <typename T>
  res::Publisher<T> Init(std::string topic) const {
    const channel::PublisherRef publisher = Core().GetChannelHandle().GetPublisher(topic);
    if (!publisher) Fail("There is no publisher for topic '" + topic + "'.");
    if (!channel::RegisterPublishType<T>(publisher)) Fail("The message type was refused for topic '" + topic + "'.");
    return res::Publisher<T>(std::move(topic), publisher);
  }

  template <typename T>
  void Publish(const res::Publisher<T>& publisher, channel::ContextRef context, const T& msg) const;
  template <typename T>
  void Publish(const res::Publisher<T>& publisher, const T& msg) const {
    Publish(publisher, channel::ContextRef(), msg);
  }
};

}  // namespace aimrt::context
