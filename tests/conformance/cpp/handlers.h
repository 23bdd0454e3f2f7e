// The handlers of the methods, and the calls that wait in them.
#ifndef AIMRT_RPC_TESTS_CONFORMANCE_HANDLERS_H_
#define AIMRT_RPC_TESTS_CONFORMANCE_HANDLERS_H_

#include "forms.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

constexpr const char *third_function = "pb:/conformance.Third/Answer";

inline std::string context_json(const rpc::context &with) {
  std::string out = "{\"used\":" + std::string(with.used() ? "true" : "false") + ",\"timeout_ms\":" +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(with.timeout()).count()) + ",\"metadata\":{";
  const auto pairs = with.metadata();
  if (!pairs) throw std::runtime_error(pairs.error().to_string());
  bool first = true;
  for (const auto pair : *pairs) {
    out += (first ? "" : ",") + json::quote(pair.first) + ":" + json::quote(pair.second);
    first = false;
  }
  return out + "}}";
}

// Calls of method Hold by their key. Who waits for one that has not come makes its place.
class holds {
 public:
  // finish answers the call and tells what the library said.
  void add(const std::string &key, std::function<std::string()> finish) {
    const std::lock_guard<std::mutex> lock(mutex_);
    byKey_[key].finish = std::move(finish);
    byKey_[key].arrived = true;
    changed_.notify_all();
  }
  void unask(const std::string &key) {
    const std::lock_guard<std::mutex> lock(mutex_);
    byKey_[key].unasked = true;
    changed_.notify_all();
  }
  void wait(const std::string &key, bool unasked) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return byKey_[key].arrived && (!unasked || byKey_[key].unasked); });
  }
  std::string release(const std::string &key, bool force) {
    std::function<std::string()> finish;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (force && !byKey_[key].arrived) return "nothing";
      changed_.wait(lock, [&] { return byKey_[key].arrived; });
      finish = std::exchange(byKey_[key].finish, nullptr);
    }
    return finish ? finish() : "nothing";
  }

 private:
  struct place {
    bool arrived = false, unasked = false;
    std::function<std::string()> finish;
  };
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::map<std::string, place> byKey_;
};

// Answers calls when all of their group have arrived.
class gatherer {
 public:
  void add(const std::string &text, std::function<void()> finish) {
    std::istringstream in(text);
    std::string group;
    std::size_t count = 0;
    in >> group >> count;
    std::vector<std::function<void()>> all;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      groups_[group].push_back(std::move(finish));
      if (groups_[group].size() == count) {
        all = std::move(groups_[group]);
        groups_.erase(group);
      }
    }
    for (const auto &one : all) one();
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::vector<std::function<void()>>> groups_;
};

// Threads that answer later; joined at the end.
class workers {
 public:
  void run(std::function<void()> f) {
    const std::lock_guard<std::mutex> lock(mutex_);
    threads_.emplace_back(std::move(f));
  }
  void join() {
    for (;;) {
      std::vector<std::thread> all;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        all.swap(threads_);
      }
      if (all.empty()) return;
      for (auto &one : all) one.join();
    }
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<std::thread> threads_;
};

// What handlers share.
struct services {
  holds held;
  gatherer gathered;
  workers threads;
  rpc::raw_method third;
};

inline rpc::status status_of(const std::string &text) {
  const auto space = text.find(' ');
  return rpc::status(static_cast<std::uint32_t>(std::stoul(text.substr(0, space))), std::string_view(text).substr(space + 1));
}

// The handlers that answer when they return.
template <class Form>
rpc::result<rpc::service> serve_now(services &all, const rpc::rpc_handle &to, const std::string &name, const std::string &method,
                                    const rpc::service_options &options) {
  return Form::serve_now(to, name, options, [&all, method](const rpc::context &with, const std::string &text, auto set, auto echo) {
    if (method == "Status") {
      const rpc::status how = status_of(text);
      if (how.ok()) echo();
      return how.ok() ? rpc::status() : how;
    }
    if (method == "Fail") throw std::runtime_error(text);
    if (method == "Context") {
      set(context_json(with));
    } else if (method == "Third") {
      set("third got " + text + " from " + std::string(with.get("aimrt-from_module")));
    } else if (method == "Nest") {
      const rpc::reply inner = all.third.invoke_sync(text);
      if (!inner.ok()) return inner.status();
      set(inner.text());
    } else {
      echo();
    }
    return rpc::status();
  });
}

// Answers a call that is kept alive by whoever calls this.
template <class Form>
void answer(services &all, typename Form::call_type &call, const std::string &method) {
  const std::string text = Form::text_of(call);
  if (method == "Status" && status_of(text).number() != 0) {
    static_cast<void>(Form::fail(call, status_of(text)));
  } else if (method == "Context") {
    static_cast<void>(Form::answer(call, context_json(call.context())));
  } else if (method == "Nest") {
    auto kept = std::make_shared<typename Form::call_type>(std::move(call));
    all.third.invoke(text, [kept](const rpc::status &how, rpc::payload_view payload) {
      static_cast<void>(how.ok() ? Form::answer(*kept, payload.text()) : Form::fail(*kept, how));
    });
  } else {
    static_cast<void>(Form::echo(call));
  }
}

// The handlers that answer later, on another thread or when they are let.
template <class Form>
rpc::result<rpc::service> serve_later(services &all, const rpc::rpc_handle &to, const std::string &name, const std::string &method,
                                      const rpc::service_options &options) {
  using call_type = typename Form::call_type;
  return Form::serve_later(to, name, options, [&all, method](call_type arrived) {
    const std::string text = Form::text_of(arrived);
    if (method == "Fail") throw std::runtime_error(text);
    auto call = std::make_shared<call_type>(std::move(arrived));
    if (method == "Hold") {
      const auto watched = call->on_cancel([&all, text] { all.held.unask(text); });
      if (!watched) throw std::runtime_error(watched.error().to_string());
      all.held.add(text, [call]() -> std::string {
        const auto finished = Form::echo(*call);
        if (finished) return "ok";
        return finished.error().code() == AIMRT_RPC_RESULT_LOST ? "lost" : finished.error().to_string();
      });
    } else if (method == "Gather") {
      all.gathered.add(text, [call] { static_cast<void>(Form::echo(*call)); });
    } else {
      all.threads.run([&all, call, method] { answer<Form>(all, *call, method); });
    }
  });
}

#endif  // AIMRT_RPC_TESTS_CONFORMANCE_HANDLERS_H_
