// What every resource of a context has.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace aimrt::context::res::details {

class Base {
 public:
  Base() = default;
  explicit Base(std::string name) : name_(std::move(name)) {}

  // False until a context has made it.
  [[nodiscard]] bool IsValid() const { return !name_.empty(); }
  explicit operator bool() const { return IsValid(); }
  [[nodiscard]] std::string_view GetName() const { return name_; }

 private:
  std::string name_;
};

}  // namespace aimrt::context::res::details
