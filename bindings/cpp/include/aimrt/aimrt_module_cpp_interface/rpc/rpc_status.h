// How a call ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aimrt_rpc/status_gen.hpp"
#include "aimrt_rpc_compat.h"

namespace aimrt::rpc {

class Status {
 public:
  Status() = default;
  explicit Status(aimrt_rpc_status_code_t code) : code_(static_cast<uint32_t>(code)) {}
  explicit Status(uint32_t code) : code_(code) {}

  bool OK() const { return code_ == AIMRT_RPC_STATUS_OK; }
  operator bool() const { return OK(); }

  void SetCode(uint32_t code) { code_ = code; }
  void SetCode(aimrt_rpc_status_code_t code) { code_ = static_cast<uint32_t>(code); }
  uint32_t Code() const { return code_; }

  std::string ToString() const {
    return std::string(OK() ? "suc" : "fail").append(", code ").append(std::to_string(code_)).append(", msg: ").append(GetCodeMsg(code_));
  }

  // The standard text of a code, "Unknown code" for a number of a service's own.
  static std::string_view GetCodeMsg(uint32_t code) { return aimrt_rpc::code_text(static_cast<aimrt_rpc::code>(code)); }

 private:
  uint32_t code_ = AIMRT_RPC_STATUS_OK;
};

}  // namespace aimrt::rpc
