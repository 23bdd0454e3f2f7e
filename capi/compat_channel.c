/*
 * compat_channel.c - AimRT's channels: accepted and dropped, with one warning per topic, so that modules which also use them run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "compat.h"

#include <stdlib.h>

/* ---- Topics ------------------------------------------------------------------------------------------------------------- */

static bool has_warned(compat_module *module, const void *arg) {
  const compat_topic *wanted = arg;
  bool found = false;
  front_lock_acquire(&module->lock);
  for (const compat_topic *topic = module->topics; topic != NULL && !found; topic = topic->next)
    found = topic != wanted && atomic_load_explicit(&topic->warned, memory_order_relaxed) && front_str_equal(topic->name, wanted->name);
  front_lock_release(&module->lock);
  return found;
}

/* Two modules that begin at the same moment may both warn. */
static void warn_once(compat_topic *topic) {
  if (atomic_load_explicit(&topic->warned, memory_order_relaxed)) return;
  if (atomic_exchange_explicit(&topic->warned, true, memory_order_relaxed)) return;
  const compat_module *module = topic->module;
  if (compat_any(module->runtime_id, has_warned, topic)) return;
  compat_log(module, AIMRT_RPC_LOG_LEVEL_WARN,
             "Channels are not part of this library: messages of topic '%.*s' are accepted and dropped (first used by module '%.*s').",
             (int)topic->name.size, topic->name.data, (int)module->info.name.len, module->info.name.str);
}

/* ---- Publisher ---------------------------------------------------------------------------------------------------------- */

static bool register_publish_type(void *impl, const aimrt_type_support_base_t *msg_type_support) {
  (void)impl;
  return msg_type_support != NULL;
}

static void publish(void *impl, aimrt_string_view_t msg_type, const aimrt_channel_context_base_t *ctx_ptr, const void *msg) {
  (void)msg_type;
  (void)msg;
  if (ctx_ptr != NULL && ctx_ptr->ops != NULL) ctx_ptr->ops->set_used(ctx_ptr->impl);
  warn_once(impl);
}

static aimrt_string_view_t get_topic(void *impl) { return compat_view(((const compat_topic *)impl)->name); }

static void merge(void *impl, const aimrt_channel_context_base_t *subscribe_ctx, const aimrt_channel_context_base_t *publish_ctx) {
  (void)impl; /* no key is passed on: nothing is ever delivered */
  (void)subscribe_ctx;
  (void)publish_ctx;
}

/* ---- Subscriber --------------------------------------------------------------------------------------------------------- */

static bool subscribe(void *impl, const aimrt_type_support_base_t *msg_type_support, aimrt_function_base_t *callback) {
  compat_topic *topic = impl;
  if (msg_type_support == NULL || callback == NULL || callback->ops == NULL) return false;
  compat_subscription *subscription = calloc(1, sizeof *subscription);
  if (subscription == NULL) return false;
  front_function_take(&subscription->callback, callback);
  front_lock_acquire(&topic->module->lock);
  subscription->next = topic->subscriptions;
  topic->subscriptions = subscription;
  front_lock_release(&topic->module->lock);
  warn_once(topic);
  return true;
}

void compat_channel_close(compat_module *module) {
  front_lock_acquire(&module->lock);
  compat_topic *topic = module->topics; /* topics only ever come in front of it */
  front_lock_release(&module->lock);
  for (; topic != NULL; topic = topic->next) {
    front_lock_acquire(&module->lock);
    compat_subscription *subscription = topic->subscriptions;
    topic->subscriptions = NULL;
    front_lock_release(&module->lock);
    while (subscription != NULL) {
      compat_subscription *next = subscription->next;
      front_function_drop(&subscription->callback);
      free(subscription);
      subscription = next;
    }
  }
}

/* ---- Handle ------------------------------------------------------------------------------------------------------------- */

/* The caller holds the lock of the module. */
static compat_topic *find_topic(compat_module *module, aimrt_rpc_str_t name) {
  compat_topic *topic = module->topics;
  while (topic != NULL && !front_str_equal(topic->name, name)) topic = topic->next;
  if (topic != NULL || module->topic_count >= COMPAT_MAX_TOPICS) return topic;
  topic = calloc(1, sizeof *topic);
  if (topic == NULL) return NULL;
  topic->name = front_str_copy(name.data, name.size);
  if (topic->name.data == NULL) {
    free(topic);
    return NULL;
  }
  topic->module = module;
  topic->publisher = (aimrt_channel_publisher_base_t){register_publish_type, publish, get_topic, merge, topic};
  topic->subscriber = (aimrt_channel_subscriber_base_t){subscribe, get_topic, topic};
  topic->next = module->topics;
  module->topics = topic;
  module->topic_count++;
  return topic;
}

static compat_topic *get(compat_module *module, aimrt_string_view_t name) {
  if (!front_view_ok(name.str, name.len)) return NULL;
  front_lock_acquire(&module->lock);
  compat_topic *topic = find_topic(module, compat_text(name));
  front_lock_release(&module->lock);
  if (topic == NULL)
    compat_log(module, AIMRT_RPC_LOG_LEVEL_ERROR, "Topic '%.*s' is refused: module '%.*s' has %u topics, or memory is out.",
               (int)name.len, name.str, (int)module->info.name.len, module->info.name.str, COMPAT_MAX_TOPICS);
  return topic;
}

static const aimrt_channel_publisher_base_t *get_publisher(void *impl, aimrt_string_view_t topic) {
  compat_topic *found = get(impl, topic);
  return found == NULL ? NULL : &found->publisher;
}

static const aimrt_channel_subscriber_base_t *get_subscriber(void *impl, aimrt_string_view_t topic) {
  compat_topic *found = get(impl, topic);
  return found == NULL ? NULL : &found->subscriber;
}

void compat_channel_init(compat_module *module) {
  module->channel = (aimrt_channel_handle_base_t){get_publisher, get_subscriber, merge, module};
}
