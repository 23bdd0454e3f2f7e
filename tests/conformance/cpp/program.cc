// The reference program of the conformance suites in C++; ../README.md describes the commands.
#include "handlers.h"

#include <aimrt_rpc.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

constexpr std::chrono::seconds quit_within{10};

template <class T>
T need(rpc::result<T> got) {
  if (!got) throw std::runtime_error(got.error().to_string());
  return std::move(got).value();
}
void need(const rpc::result<void> &got) {
  if (!got) throw std::runtime_error(got.error().to_string());
}

// How a call ended.
struct outcome {
  rpc::status how;
  std::string response;  // JSON
};

class program {
 public:
  std::string run(const json::value &command) {
    const std::string &what = command["do"].text();
    const std::string &key = command["key"].text();
    if (what == "open") return open(command);
    if (what == "call") return call(command, text_of(command), command["as"].text());
    if (what == "burst") return burst(command);
    if (what == "cancel") return cancel(command["as"].text());
    if (what == "arrived" || what == "unasked") {
      services_.held.wait(key, what == "unasked");
      return "{}";
    }
    if (what == "release") return "{\"finished\":" + json::quote(services_.held.release(key, command["force"].truth())) + "}";
    throw std::runtime_error("unknown command " + what);
  }

  // Closes everything and counts what is left.
  std::string quit() {
    runtime_ = rpc::runtime();
    services_.threads.join();
    contexts_.clear();
    const auto end = std::chrono::steady_clock::now() + quit_within;
    while (aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) != 0 && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return "{\"handles\":" + std::to_string(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY)) + "}";
  }

 private:
  struct request_text {
    bool given;
    std::string text;
  };

  static request_text text_of(const json::value &command) { return {command["text"].present(), command["text"].text()}; }

  std::string open(const json::value &command) {
    rpc::runtime_options options;
    options.config_text = command["config"].text();
    options.log_fd = 2;
    runtime_ = need(rpc::runtime::create(std::move(options)));
    need(runtime_.initialize());
    for (const auto &described : command["modules"].items()) add_module(described);
    need(runtime_.start_async());
    const json::document statistics(need(runtime_.statistics()).to_string());
    std::string address;  // of the one backend that listens
    for (const char *backend : {"http", "grpc", "aiomas"}) address += statistics.root()["addresses"][backend].text();
    return "{\"address\":" + json::quote(address) + "}";
  }

  void add_module(const json::value &described) {
    rpc::module_options options;
    options.name = described["name"].text();
    options.package = described["package"].text();
    const rpc::rpc_handle to = need(runtime_.create_module(std::move(options))).rpc_handle();
    for (const auto &one : described["call"].items()) add_client(to, one);
    for (const auto &one : described["serve"].items()) add_service(to, one);
  }

  void add_client(const rpc::rpc_handle &to, const json::value &one) {
    const std::string &name = one["function"].text();
    if (one["form"].text() == "message") {
      messages_[name] = need(to.register_client<Frame, Frame>(name));
      return;
    }
    rpc::client_options options;
    for (const auto &serialization : one["serializations"].items()) options.serializations.push_back(serialization.text());
    raws_[name] = need(to.register_raw_client(name, options));
    if (name == third_function) services_.third = raws_[name];
  }

  void add_service(const rpc::rpc_handle &to, const json::value &one) {
    const std::string &name = one["function"].text(), &method = one["method"].text();
    const bool later = one["later"].truth();
    rpc::service_options options;
    if (one["form"].text() == "message") {
      need(later ? serve_later<message>(services_, to, name, method, options) : serve_now<message>(services_, to, name, method, options));
      return;
    }
    for (const auto &serialization : one["serializations"].items()) options.serializations.push_back(serialization.text());
    need(later ? serve_later<raw>(services_, to, name, method, options) : serve_now<raw>(services_, to, name, method, options));
  }

  // Makes or finds the context of a call; nothing when the call has none.
  std::shared_ptr<rpc::context> context(const json::value &command) {
    const std::string &name = command["context"].text();
    if (name == "none") return nullptr;
    std::shared_ptr<rpc::context> made;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!name.empty()) made = contexts_[name];
      if (!made) made = std::make_shared<rpc::context>(need(rpc::context::create()));
      if (!name.empty()) contexts_[name] = made;
    }
    if (command["reset"].truth()) need(made->reset());
    if (made->used()) return made;
    need(made->set_serialization(command["serialization"].text()));
    if (command["timeout_ms"].number() != 0) need(made->set_timeout(std::chrono::milliseconds(command["timeout_ms"].number())));
    if (!command["target"].text().empty()) need(made->set_target(command["target"].text()));
    for (const auto &pair : command["metadata"].items()) need(made->set(pair.items()[0].text(), pair.items()[1].text()));
    return made;
  }

  // Remembers a call of style later so that it can be cancelled.
  class remembered {
   public:
    remembered(program &of, const std::string &as, aimrt_rpc_call_t call) : of_(of), as_(as) {
      const std::lock_guard<std::mutex> lock(of_.mutex_);
      of_.running_[as_] = call;
      of_.started_.notify_all();
    }
    ~remembered() {
      const std::lock_guard<std::mutex> lock(of_.mutex_);
      of_.running_.erase(as_);
    }
    remembered(const remembered &) = delete;
    remembered &operator=(const remembered &) = delete;

   private:
    program &of_;
    const std::string &as_;
  };

  std::string cancel(const std::string &as) {
    aimrt_rpc_call_t call = 0;
    {
      std::unique_lock<std::mutex> lock(mutex_);  // its handler may run before its start returns
      if (!started_.wait_for(lock, quit_within, [&] { return running_.count(as) != 0; })) throw std::runtime_error("no call " + as);
      call = running_[as];
    }
    need(rpc::cancel(call));
    return "{}";
  }

  outcome call_raw(const json::value &command, const request_text &request, const std::string &as, rpc::context *with) {
    const auto &method = raws_.at(command["function"].text());
    const std::string body = request.given ? request.text : pattern(static_cast<std::size_t>(command["size"].number()));
    const bool want_text = request.given || body.empty();
    const auto tell = [want_text](std::string_view bytes) {
      return "{" + size_and_crc(bytes) + (want_text ? ",\"text\":" + json::quote(bytes) : "") + "}";
    };
    if (!command["later"].truth()) {
      const rpc::reply reply = with != nullptr ? method.invoke_sync(*with, body) : method.invoke_sync(body);
      return {reply.status(), reply.ok() ? tell(reply.text()) : ""};
    }
    std::promise<outcome> ended;
    const auto done = [&](const rpc::status &how, rpc::payload_view payload) {
      ended.set_value({how, how.ok() ? tell(payload.text()) : ""});
    };
    if (with == nullptr) {
      method.invoke(body, done);
      return ended.get_future().get();
    }
    const rpc::call started = need(method.start(*with, body, done));
    const remembered known(*this, as, started.native());
    return ended.get_future().get();
  }

  outcome call_message(const json::value &command, const request_text &request, const std::string &as, rpc::context *with) {
    const auto &method = messages_.at(command["function"].text());
    Frame question, answer;
    message::set(question, request.text);
    if (!request.given) question.set_body(pattern(static_cast<std::size_t>(command["size"].number())));
    rpc::status how;
    if (!command["later"].truth()) {
      how = with != nullptr ? method.invoke_sync(*with, question, answer) : method.invoke_sync(question, answer);
    } else {
      std::promise<rpc::status> ended;
      const auto done = [&](const rpc::status &status) { ended.set_value(status); };
      if (with == nullptr) {
        method.invoke(question, answer, done);
        how = ended.get_future().get();
      } else {
        const rpc::call started = need(method.start(*with, question, answer, done));
        const remembered known(*this, as, started.native());
        how = ended.get_future().get();
      }
    }
    if (!how.ok()) return {how, ""};
    return {how, "{" + size_and_crc(answer.body()) + ",\"text\":" + json::quote(answer.some_text()) + ",\"number\":\"" +
                     std::to_string(answer.big_number()) + "\"}"};
  }

  outcome call_any(const json::value &command, const request_text &request, const std::string &as, rpc::context *with) {
    if (command["form"].text() == "message") return call_message(command, request, as, with);
    return call_raw(command, request, as, with);
  }

  std::string call(const json::value &command, const request_text &request, const std::string &as) {
    const auto with = context(command);
    const outcome ended = call_any(command, request, as, with.get());
    std::string out = "{\"code\":" + std::to_string(ended.how.number()) + ",\"message\":" + json::quote(ended.how.message());
    if (!ended.response.empty()) out += ",\"response\":" + ended.response;
    if (with) out += ",\"context\":" + context_json(*with);
    return out + "}";
  }

  // Makes many calls at the same time.
  std::string burst(const json::value &command) {
    std::mutex mutex;  // guards what follows
    std::map<std::string, int> outcomes;
    int wrong = 0;
    std::vector<std::thread> all;
    const auto count = command["count"].number();
    for (std::int64_t i = 0; i < count; ++i) {
      all.emplace_back([&, i] {
        const std::string text = command["text"].text() + " " + std::to_string(count) + " " + std::to_string(i);
        std::string code, answer;
        try {
          const auto with = context(command);
          const std::string as = command["as"].text() + "/" + std::to_string(i);
          const outcome ended = call_any(command, {true, text}, as, with.get());
          code = std::to_string(ended.how.number());
          answer = ended.response.empty() ? text : json::document(ended.response).root()["text"].text();
        } catch (const std::exception &e) {
          code = e.what();
        }
        const std::lock_guard<std::mutex> lock(mutex);
        ++outcomes[code];
        wrong += answer == text ? 0 : 1;
      });
    }
    for (auto &one : all) one.join();
    std::string out;
    for (const auto &[code, n] : outcomes) out += (out.empty() ? "" : ",") + json::quote(code) + ":" + std::to_string(n);
    return "{\"outcomes\":{" + out + "},\"wrong\":" + std::to_string(wrong) + "}";
  }

  services services_;
  rpc::runtime runtime_;
  std::map<std::string, rpc::raw_method> raws_;
  std::map<std::string, rpc::method<Frame, Frame>> messages_;

  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<rpc::context>> contexts_;
  std::condition_variable started_;
  std::map<std::string, aimrt_rpc_call_t> running_;
};

std::mutex say_mutex;  // one line at a time

void say(std::int64_t id, const char *what, const std::string &value) {
  const std::string line = "{\"id\":" + std::to_string(id) + ",\"" + what + "\":" + value + "}\n";
  const std::lock_guard<std::mutex> lock(say_mutex);
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

int main() {
  program self;
  workers commands;
  say(0, "ok", R"({"language":"cpp","capabilities":["finish_result", "native_messages","cancels_later"]})");
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto command = std::make_shared<json::document>(line);
    const std::int64_t id = command->root()["id"].number();
    if (command->root()["do"].text() == "quit") {
      commands.join();
      say(id, "ok", self.quit());
      return 0;
    }
    commands.run([&self, command, id] {
      try {
        say(id, "ok", self.run(command->root()));
      } catch (const std::exception &e) {
        say(id, "error", json::quote(e.what()));
      }
    });
  }
  std::fputs("the runner is gone\n", stderr);
  std::_Exit(1);
}
