// status: how one call ended. Why a function of this library failed is an error (error.hpp), never a status.
//
// SPDX-License-Identifier: Apache-2.0
#ifndef AIMRT_RPC_STATUS_HPP_
#define AIMRT_RPC_STATUS_HPP_

#include <aimrt_rpc.h>
#include <aimrt_rpc/error.hpp>
#include <aimrt_rpc/status_gen.hpp>
#include <aimrt_rpc/view.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aimrt_rpc {

class status;

namespace detail {
// Ends a call being served.
result_code finish_call(aimrt_rpc_call_t call, const status &how, const aimrt_rpc_payload_t *response,
                        aimrt_rpc_error_t *why) noexcept;
// Lends a status to C: f(const aimrt_rpc_status_t *) gets nullptr for a plain OK.
template <class F>
result_code lend_status(const status &how, F &&f);
}  // namespace detail

// A value: code, message, details, trace, and what another system said. OK with the standard text costs no memory.
class [[nodiscard]] status {
 public:
  using detail_list = std::vector<std::pair<std::string, std::string>>;

  // OK.
  status() noexcept = default;
  // A code with its standard text: a handler may say `return aimrt_rpc::code::not_found;`.
  status(aimrt_rpc::code how) noexcept : code_(how) {}
  status(aimrt_rpc::code how, std::string_view message) : code_(how) {
    if (!message.empty() && message != code_text(how)) more().message = message;
  }
  // A number of the service's own.
  status(std::uint32_t number, std::string_view message) : status(static_cast<aimrt_rpc::code>(number), message) {}
  // What a callback or aimrt_rpc_call_outcome told.
  explicit status(const aimrt_rpc_outcome_t &outcome) : status(outcome.code, detail::from_c(outcome.message)) {
    if ((outcome.trace.size | outcome.native_dialect.size | outcome.native_code.size | outcome.detail_count) == 0) return;
    set_trace(detail::from_c(outcome.trace));
    set_native(detail::from_c(outcome.native_dialect), detail::from_c(outcome.native_code));
    for (auto pair : pairs_view(outcome.details, outcome.detail_count)) add_detail(pair.first, pair.second);
  }
  // A call that could not even be started, as its outcome; the result's number is kept as the native code.
  static status from_error(const error &why) {
    status made(code_of(why.code()), why.message());
    made.set_native("aimrt_rpc_result", std::to_string(why.code()));
    return made;
  }

  status(const status &other) : code_(other.code_), more_(other.more_ ? std::make_unique<extra>(*other.more_) : nullptr) {}
  status &operator=(const status &other) {
    if (this != &other) *this = status(other);
    return *this;
  }
  status(status &&other) noexcept = default;
  status &operator=(status &&other) noexcept = default;
  ~status() = default;

  // One of the named codes, or any other number a service chose.
  aimrt_rpc::code code() const noexcept { return code_; }
  std::uint32_t number() const noexcept { return static_cast<std::uint32_t>(code_); }
  bool ok() const noexcept { return code_ == aimrt_rpc::code::ok; }
  explicit operator bool() const noexcept { return ok(); }

  // What the service said, else the standard text of the code.
  std::string_view message() const noexcept {
    return more_ && !more_->message.empty() ? std::string_view(more_->message) : code_text(code_);
  }
  // Stack text of the failure at the other side, often empty.
  std::string_view trace() const noexcept { return more_ ? std::string_view(more_->trace) : std::string_view(); }
  // Where the code came from when another system said it ("aimrt", "aduib", ...), and the number or name it used.
  std::string_view native_dialect() const noexcept { return more_ ? std::string_view(more_->dialect) : std::string_view(); }
  std::string_view native_code() const noexcept { return more_ ? std::string_view(more_->code) : std::string_view(); }

  const detail_list &details() const noexcept {
    static const detail_list none;
    return more_ ? more_->details : none;
  }
  // The value of the first detail with this key, empty when there is none.
  std::string_view detail(std::string_view key) const noexcept {
    for (const auto &pair : details()) {
      if (pair.first == key) return pair.second;
    }
    return {};
  }

  status &add_detail(std::string_view key, std::string_view value) {
    more().details.emplace_back(key, value);
    return *this;
  }
  status &set_trace(std::string_view trace) {
    if (!trace.empty() || more_) more().trace = trace;
    return *this;
  }

  // "suc, code 0, msg: OK" or "fail, code 1008, msg: what went wrong".
  std::string to_string() const {
    std::string text(ok() ? "suc, code " : "fail, code ");
    text.append(std::to_string(number())).append(", msg: ").append(message());
    return text;
  }

 private:
  template <class F>
  friend result_code detail::lend_status(const status &how, F &&f);

  struct extra {
    std::string message, trace, dialect, code;
    detail_list details;
  };

  static aimrt_rpc::code code_of(result_code why) noexcept {
    switch (why) {
      case AIMRT_RPC_RESULT_INVALID_HANDLE: return aimrt_rpc::code::cli_func_not_registered;
      case AIMRT_RPC_RESULT_INVALID_ARGUMENT: return aimrt_rpc::code::invalid_argument;
      case AIMRT_RPC_RESULT_LIMIT:
      case AIMRT_RPC_RESULT_OUT_OF_MEMORY: return aimrt_rpc::code::resource_exhausted;
      case AIMRT_RPC_RESULT_FORKED: return aimrt_rpc::code::unavailable;
      case AIMRT_RPC_RESULT_TIMEOUT: return aimrt_rpc::code::timeout;
      default: return aimrt_rpc::code::cli_unknown;
    }
  }

  void set_native(std::string_view dialect, std::string_view native) {
    if (dialect.empty() && native.empty()) return;
    more().dialect = dialect;
    more().code = native;
  }

  extra &more() {
    if (!more_) more_ = std::make_unique<extra>();
    return *more_;
  }

  aimrt_rpc::code code_ = aimrt_rpc::code::ok;
  std::unique_ptr<extra> more_;
};

// Equal when code and message are.
inline bool operator==(const status &a, const status &b) noexcept { return a.code() == b.code() && a.message() == b.message(); }
inline bool operator!=(const status &a, const status &b) noexcept { return !(a == b); }

template <class F>
result_code detail::lend_status(const status &how, F &&f) {
  const status::extra *more = how.more_.get();
  if (how.ok() && more == nullptr) return std::forward<F>(f)(static_cast<const aimrt_rpc_status_t *>(nullptr));
  aimrt_rpc_status_t native = AIMRT_RPC_CALL_STATUS_INIT;
  native.code = how.number();
  if (more == nullptr) return std::forward<F>(f)(&native);
  native.message = to_c(more->message);
  native.trace = to_c(more->trace);
  std::vector<aimrt_rpc_pair_t> pairs;
  pairs.reserve(more->details.size());
  for (const auto &pair : more->details) pairs.push_back({to_c(pair.first), to_c(pair.second)});
  native.details = pairs.data();
  native.detail_count = pairs.size();
  return std::forward<F>(f)(&native);
}

inline result_code detail::finish_call(aimrt_rpc_call_t call, const status &how, const aimrt_rpc_payload_t *response,
                                       aimrt_rpc_error_t *why) noexcept {
  return lend_status(how, [&](const aimrt_rpc_status_t *native) { return aimrt_rpc_call_finish(call, native, response, why); });
}

}  // namespace aimrt_rpc

#endif  // AIMRT_RPC_STATUS_HPP_
