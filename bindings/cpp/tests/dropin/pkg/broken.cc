// A Pkg whose modules throw where it is asked for.
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "aimrt_pkg_c_interface/aimrt_pkg_c_interface.h"

namespace {

class Broken : public aimrt::ModuleBase {
 public:
  aimrt::ModuleInfo Info() const override { return {.name = "Broken"}; }
  bool Initialize(aimrt::CoreRef) override { return Step("initialize"); }
  bool Start() override { return Step("start"); }
  void Shutdown() override { Step("shutdown"); }

 private:
  static bool Step(const std::string& name) {
    const char* where = std::getenv("BROKEN_STEP");
    if (where != nullptr && name == where) throw std::runtime_error("broken in " + name);
    return true;
  }
};

std::tuple<std::string_view, std::function<aimrt::ModuleBase*()>> modules[] = {{"Broken", []() -> aimrt::ModuleBase* { return new Broken(); }}};

}  // namespace

AIMRT_PKG_MAIN(modules)
