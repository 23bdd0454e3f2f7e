// Publishers and subscribers. libaimrt_rpc accepts both and drops what is published; programs that use channels compile and load.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "aimrt_module_cpp_interface/channel/channel_context.h"
#include "aimrt_module_cpp_interface/co/on.h"
#include "aimrt_module_cpp_interface/co/start_detached.h"
#include "aimrt_module_cpp_interface/co/task.h"
#include "aimrt_module_cpp_interface/co/then.h"
#include "aimrt_module_cpp_interface/util/function.h"
#include "aimrt_module_cpp_interface/util/string.h"
#include "aimrt_module_cpp_interface/util/type_support.h"
#include "aimrt_rpc_compat.h"
#include "util/exception.h"

namespace aimrt::channel {

using SubscriberReleaseCallback = util::Function<aimrt_function_subscriber_release_callback_ops_t>;
using SubscriberCallback = util::Function<aimrt_function_subscriber_callback_ops_t>;

class PublisherRef {
 public:
  PublisherRef() = default;
  explicit PublisherRef(const aimrt_channel_publisher_base_t* base) : base_(base) {}
  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_channel_publisher_base_t* NativeHandle() const { return base_; }

  bool RegisterPublishType(const aimrt_type_support_base_t* type_support) const { return Base()->register_publish_type(base_->impl, type_support); }
  void Publish(std::string_view msg_type, ContextRef context, const void* msg) const {
    Base()->publish(base_->impl, util::ToAimRTStringView(msg_type), context.NativeHandle(), msg);
  }
  std::string_view GetTopic() const { return util::ToStdStringView(Base()->get_topic(base_->impl)); }
  void MergeSubscribeContextToPublishContext(ContextRef subscribe_context, ContextRef publish_context) const {
    Base()->merge_subscribe_context_to_publish_context(base_->impl, subscribe_context.NativeHandle(), publish_context.NativeHandle());
  }

 private:
  const aimrt_channel_publisher_base_t* Base() const {
    common::util::details::CheckReference(base_);
    return base_;
  }
  const aimrt_channel_publisher_base_t* base_ = nullptr;
};

class SubscriberRef {
 public:
  SubscriberRef() = default;
  explicit SubscriberRef(const aimrt_channel_subscriber_base_t* base) : base_(base) {}
  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_channel_subscriber_base_t* NativeHandle() const { return base_; }

  bool Subscribe(const aimrt_type_support_base_t* type_support, SubscriberCallback&& callback) const {
    common::util::details::CheckReference(base_);
    return base_->subscribe(base_->impl, type_support, callback.NativeHandle());
  }
  std::string_view GetTopic() const {
    common::util::details::CheckReference(base_);
    return util::ToStdStringView(base_->get_topic(base_->impl));
  }

 private:
  const aimrt_channel_subscriber_base_t* base_ = nullptr;
};

class ChannelHandleRef {
 public:
  ChannelHandleRef() = default;
  explicit ChannelHandleRef(const aimrt_channel_handle_base_t* base) : base_(base) {}
  explicit operator bool() const { return base_ != nullptr; }
  const aimrt_channel_handle_base_t* NativeHandle() const { return base_; }

  PublisherRef GetPublisher(std::string_view topic) const { return PublisherRef(Base()->get_publisher(base_->impl, util::ToAimRTStringView(topic))); }
  SubscriberRef GetSubscriber(std::string_view topic) const {
    return SubscriberRef(Base()->get_subscriber(base_->impl, util::ToAimRTStringView(topic)));
  }
  void MergeSubscribeContextToPublishContext(ContextRef subscribe_context, ContextRef publish_context) const {
    Base()->merge_subscribe_context_to_publish_context(base_->impl, subscribe_context.NativeHandle(), publish_context.NativeHandle());
  }

 private:
  const aimrt_channel_handle_base_t* Base() const {
    common::util::details::CheckReference(base_);
    return base_;
  }
  const aimrt_channel_handle_base_t* base_ = nullptr;
};

template <typename Msg>
bool RegisterPublishType(PublisherRef publisher) {
  return publisher.RegisterPublishType(GetMessageTypeSupport<Msg>());
}

template <typename Msg>
void Publish(PublisherRef publisher, ContextRef context, const Msg& msg) {
  static const std::string_view kType = util::TypeSupportRef(GetMessageTypeSupport<Msg>()).TypeName();
  if (context) {
    publisher.Publish(kType, context, static_cast<const void*>(&msg));
    return;
  }
  const Context own;
  publisher.Publish(kType, own, static_cast<const void*>(&msg));
}
template <typename Msg>
void Publish(PublisherRef publisher, const Msg& msg) {
  Publish(publisher, ContextRef(), msg);
}

// The callback takes (const std::shared_ptr<const Msg>&), with or without a ContextRef before it.
template <typename Msg, typename F>
  requires(std::is_invocable_v<F&, ContextRef, const std::shared_ptr<const Msg>&> || std::is_invocable_v<F&, const std::shared_ptr<const Msg>&>)
bool Subscribe(SubscriberRef subscriber, F&& callback) {
  return subscriber.Subscribe(GetMessageTypeSupport<Msg>(),
                              [callback = std::decay_t<F>(std::forward<F>(callback))](const aimrt_channel_context_base_t* context, const void* msg,
                                                                                      aimrt_function_base_t* release) mutable {
                                std::shared_ptr<const Msg> held(
                                    static_cast<const Msg*>(msg),
                                    [end = std::make_shared<SubscriberReleaseCallback>(release)](const Msg*) { (*end)(); });
                                if constexpr (std::is_invocable_v<F&, ContextRef, const std::shared_ptr<const Msg>&>)
                                  callback(ContextRef(context), held);
                                else
                                  callback(held);
                              });
}

// The callback is a coroutine that takes (const Msg&), with or without a ContextRef before it.
template <typename Msg, typename F>
  requires(std::is_invocable_r_v<co::Task<void>, F&, ContextRef, const Msg&> || std::is_invocable_r_v<co::Task<void>, F&, const Msg&>)
bool SubscribeCo(SubscriberRef subscriber, F&& callback) {
  return subscriber.Subscribe(
      GetMessageTypeSupport<Msg>(),
      [callback = std::make_shared<std::decay_t<F>>(std::forward<F>(callback))](const aimrt_channel_context_base_t* context, const void* msg,
                                                                                 aimrt_function_base_t* release) {
        const Msg& message = *static_cast<const Msg*>(msg);
        const auto begin = [&]() -> co::Task<void> {
          if constexpr (std::is_invocable_v<F&, ContextRef, const Msg&>)
            return (*callback)(ContextRef(context), message);
          else
            return (*callback)(message);
        };
        co::StartDetached(begin() | co::Then([callback, end = SubscriberReleaseCallback(release)] { end(); }));
      });
}

class PublisherProxyBase {
 public:
  explicit PublisherProxyBase(PublisherRef publisher, std::string_view msg_type_name = {}) : publisher_(publisher), msg_type_name_(msg_type_name) {}
  virtual ~PublisherProxyBase() = default;

  std::string_view GetTopic() const { return publisher_.GetTopic(); }
  std::shared_ptr<Context> NewContextSharedPtr(ContextRef subscribe_context = ContextRef()) const {
    auto context = default_ctx_ptr_ ? std::make_shared<Context>(*default_ctx_ptr_) : std::make_shared<Context>();
    if (subscribe_context) publisher_.MergeSubscribeContextToPublishContext(subscribe_context, context);
    return context;
  }
  void SetDefaultContextSharedPtr(const std::shared_ptr<Context>& context) { default_ctx_ptr_ = context; }
  std::shared_ptr<Context> GetDefaultContextSharedPtr() const { return default_ctx_ptr_; }

 protected:
  PublisherRef publisher_;
  const std::string msg_type_name_;
  std::shared_ptr<Context> default_ctx_ptr_;
};

template <typename Msg>
class PublisherProxy : public PublisherProxyBase {
 public:
  explicit PublisherProxy(PublisherRef publisher) : PublisherProxyBase(publisher) {}

  static bool RegisterPublishType(PublisherRef publisher) { return channel::RegisterPublishType<Msg>(publisher); }
  bool RegisterPublishType() const { return channel::RegisterPublishType<Msg>(publisher_); }

  void Publish(ContextRef context, const Msg& msg) const {
    if (context)
      channel::Publish<Msg>(publisher_, context, msg);
    else
      channel::Publish<Msg>(publisher_, NewContextSharedPtr(), msg);
  }
  void Publish(const Msg& msg) const { Publish(ContextRef(), msg); }
};

class SubscriberProxyBase {
 public:
  explicit SubscriberProxyBase(SubscriberRef subscriber) : subscriber_(subscriber) {}
  virtual ~SubscriberProxyBase() = default;
  std::string_view GetTopic() const { return subscriber_.GetTopic(); }

 protected:
  SubscriberRef subscriber_;
};

template <typename Msg>
class SubscriberProxy : public SubscriberProxyBase {
 public:
  using SubscriberProxyBase::SubscriberProxyBase;

  template <typename F>
  bool Subscribe(F&& callback) const {
    return channel::Subscribe<Msg>(subscriber_, std::forward<F>(callback));
  }
  template <typename F>
  bool SubscribeCo(F&& callback) const {
    return channel::SubscribeCo<Msg>(subscriber_, std::forward<F>(callback));
  }
};

}  // namespace aimrt::channel
