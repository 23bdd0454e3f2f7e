// Base of the groups of functions that a context has: context->cli(), srv(), pub(), sub(), log().
#pragma once

#include <memory>
#include <source_location>
#include <utility>

#include "aimrt_module_cpp_interface/core.h"

namespace aimrt::context {

class Context;

class OpBase {
 public:
  OpBase(Context& context, const std::source_location& place) : context_(context), place_(place) {}

 protected:
  CoreRef Core() const;
  // Throws with the place of the user's call.
  [[noreturn]] void Fail(std::string_view text) const { common::util::details::ThrowAt(place_, text); }

  Context& context_;
  std::source_location place_;
};

}  // namespace aimrt::context
