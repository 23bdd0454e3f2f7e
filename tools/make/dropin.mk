# The C++ headers at AimRT's include paths: every header alone, unit tests with a hand-made host, Pkgs in aimrt_main.
DROPIN_DIR     := $(BUILD)/dropin
DROPIN_SRC     := bindings/cpp/tests/dropin
DROPIN_ROOT    := bindings/cpp/include/aimrt
DROPIN_PARTS   := aimrt_module_cpp_interface aimrt_module_c_interface aimrt_module_protobuf_interface aimrt_pkg_c_interface util
DROPIN_HEADERS := $(shell find $(DROPIN_ROOT) -name '*.h') include/aimrt_rpc_compat.h bindings/cpp/include/aimrt_rpc/status_gen.hpp
DROPIN_WARN    := -Wall -Wextra -Wshadow -Werror
# AimRT's include roots; -isystem for the messages, which protoc wrote.
DROPIN_INCLUDE := -Iinclude -Ibindings/cpp/include -I$(DROPIN_ROOT) $(addprefix -I$(DROPIN_ROOT)/,$(DROPIN_PARTS)) -I$(DROPIN_SRC) \
                  -isystem $(DROPIN_DIR)/messages
DROPIN_FLAGS   := -std=c++20 -DFMT_HEADER_ONLY

# Compiled as users do, and without optimisation: then only the headers keep the stack of coroutines flat.
DROPIN_FLAGS_plain    := -O2
DROPIN_FLAGS_sanitize := -O0 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
DROPIN_STUB_own       := $(DROPIN_DIR)/stub
DROPIN_STUB_reference := $(DROPIN_SRC)/reference_stub
DROPIN_GENERATOR      := $(DROPIN_DIR)/protoc-gen-aimrt_rpc

.PHONY: dropin-test dropin-headers

# A server of the context API in AimRT's stubs and its implementation own each other for ever; hence no search for leaks there.
dropin-test: dropin-headers $(DROPIN_DIR)/plain/alloc $(DROPIN_DIR)/sanitize/tests-own $(DROPIN_DIR)/sanitize/tests-reference ## test the C++ headers at AimRT's include paths
	$(DROPIN_DIR)/plain/alloc --gtest_brief=1
	UBSAN_OPTIONS=print_stacktrace=1 $(DROPIN_DIR)/sanitize/tests-own --gtest_brief=1
	UBSAN_OPTIONS=print_stacktrace=1 $(DROPIN_DIR)/sanitize/tests-reference --gtest_filter='Stubs*' --gtest_brief=1
	ASAN_OPTIONS=detect_leaks=0 $(DROPIN_DIR)/sanitize/tests-reference --gtest_filter='ContextApi*' --gtest_brief=1

# Every header compiles alone, and needs no other include root than AimRT's first one.
dropin-headers: $(patsubst $(DROPIN_ROOT)/%.h,$(DROPIN_DIR)/headers/%.ok,$(filter $(DROPIN_ROOT)/%.h,$(DROPIN_HEADERS)))

$(DROPIN_DIR)/headers/%.ok: $(DROPIN_HEADERS)
	@mkdir -p $(@D)
	@printf '#include "%s.h"\n' '$*' | $(CXX) $(DROPIN_FLAGS) $(DROPIN_WARN) -Wpedantic -Iinclude -Ibindings/cpp/include -I$(DROPIN_ROOT) -fsyntax-only -x c++ -
	@touch $@

$(DROPIN_GENERATOR): $(wildcard cmd/protoc-gen-aimrt_rpc/*.go)
	@mkdir -p $(@D)
	@CGO_ENABLED=0 $(GO) build -trimpath -o $@ ./cmd/protoc-gen-aimrt_rpc

$(DROPIN_DIR)/messages/robot.pb.cc: $(DROPIN_SRC)/robot.proto
	@mkdir -p $(@D)
	@protoc -I $(<D) --cpp_out=$(@D) $(<F)

$(DROPIN_DIR)/stub/robot.aimrt_rpc.pb.cc: $(DROPIN_SRC)/robot.proto $(DROPIN_GENERATOR)
	@mkdir -p $(@D)
	@protoc -I $(<D) --plugin=protoc-gen-aimrt_rpc=$(DROPIN_GENERATOR) --aimrt_rpc_out=lang=cpp:$(@D) $(<F)

DROPIN_GENERATED := $(DROPIN_DIR)/messages/robot.pb.cc $(DROPIN_DIR)/stub/robot.aimrt_rpc.pb.cc

# $(1) = variant, $(2) = stub. What does not see the stub is compiled once per variant.
define dropin_variant_rules
$(DROPIN_DIR)/$(1)/%.o: $(DROPIN_SRC)/%.cc $(DROPIN_SRC)/fake_core.hpp $(DROPIN_HEADERS) $(DROPIN_GENERATED)
	@mkdir -p $$(@D)
	$(CXX) $(DROPIN_FLAGS) $(DROPIN_FLAGS_$(1)) $(DROPIN_WARN) $(DROPIN_INCLUDE) -c $$< -o $$@
$(DROPIN_DIR)/$(1)/robot.pb.o: $(DROPIN_DIR)/messages/robot.pb.cc
	@mkdir -p $$(@D)
	$(CXX) $(DROPIN_FLAGS) $(DROPIN_FLAGS_$(1)) $(DROPIN_INCLUDE) -c $$< -o $$@
endef
define dropin_stub_rules
$(DROPIN_DIR)/$(1)/$(2)/%.o: $(DROPIN_SRC)/%.cc $(DROPIN_SRC)/fake_core.hpp $(DROPIN_HEADERS) $(DROPIN_GENERATED) $(wildcard $(DROPIN_SRC)/reference_stub/*)
	@mkdir -p $$(@D)
	$(CXX) $(DROPIN_FLAGS) $(DROPIN_FLAGS_$(1)) $(DROPIN_WARN) $(DROPIN_INCLUDE) -I$(DROPIN_STUB_$(2)) -c $$< -o $$@
$(DROPIN_DIR)/$(1)/$(2)/robot.aimrt_rpc.pb.o: $(DROPIN_HEADERS) $(DROPIN_GENERATED) $(wildcard $(DROPIN_SRC)/reference_stub/*)
	@mkdir -p $$(@D)
	$(CXX) $(DROPIN_FLAGS) $(DROPIN_FLAGS_$(1)) $(DROPIN_WARN) $(DROPIN_INCLUDE) -I$(DROPIN_STUB_$(2)) -c $(DROPIN_STUB_$(2))/robot.aimrt_rpc.pb.cc -o $$@
$(DROPIN_DIR)/$(1)/tests-$(2): $(patsubst %,$(DROPIN_DIR)/$(1)/%.o,parts_test co_test robot.pb) $(patsubst %,$(DROPIN_DIR)/$(1)/$(2)/%.o,stub_test second_unit robot.aimrt_rpc.pb)
	$(CXX) $(DROPIN_FLAGS_$(1)) $$^ -lgtest -lgtest_main -lprotobuf -pthread -o $$@
endef
$(DROPIN_DIR)/plain/alloc: $(DROPIN_DIR)/plain/robot.pb.o $(DROPIN_DIR)/plain/own/alloc_test.o $(DROPIN_DIR)/plain/own/robot.aimrt_rpc.pb.o
	$(CXX) $^ -lgtest -lgtest_main -lprotobuf -pthread -o $@
$(foreach variant,plain sanitize,$(eval $(call dropin_variant_rules,$(variant))))
$(foreach variant,plain sanitize,$(foreach stub,own reference,$(eval $(call dropin_stub_rules,$(variant),$(stub)))))

# --- Pkgs and a program in app mode, over the library -----------------------------------------------------------------------------------
# The messages are in a library of their own: two Pkgs that carry the same messages and share one libprotobuf abort when the second is loaded.
DROPIN_PKG       := $(DROPIN_DIR)/pkg
DROPIN_PKG_SRC   := $(DROPIN_SRC)/pkg
DROPIN_PKG_FLAGS := $(DROPIN_FLAGS) -O1 -g1 -fPIC -fvisibility=hidden $(DROPIN_WARN) $(DROPIN_INCLUDE) -I$(DROPIN_STUB_own)
DROPIN_PKGS      := $(patsubst %,$(DROPIN_PKG)/libarm_%.so,both client broken)

.PHONY: dropin-pkg-test dropin-programs
# All that has to be compiled; may be made by several jobs at once.
dropin-programs: dropin-headers $(DROPIN_DIR)/plain/alloc $(DROPIN_DIR)/sanitize/tests-own $(DROPIN_DIR)/sanitize/tests-reference $(DROPIN_PKGS) $(DROPIN_PKG)/app
dropin-pkg-test: build $(DROPIN_PKGS) $(DROPIN_PKG)/app ## run Pkgs built with the C++ headers in aimrt_main, and a program in app mode
	@$(PYTHON) $(DROPIN_PKG_SRC)/run.py $(DROPIN_PKG)

# A project with AimRT's CMake names, against an installed tree.
.PHONY: dropin-cmake-test
dropin-cmake-test: build ## build a project written for AimRT's CMake package
	@dir=$$(bindings/cpp/tests/install_into.sh $(DROPIN_DIR)/prefix) && \
	  cmake -S $(DROPIN_SRC)/cmake -B $(DROPIN_DIR)/cmake -Daimrt_DIR=$$dir/../aimrt >/dev/null && cmake --build $(DROPIN_DIR)/cmake >/dev/null
	@nm -D --defined-only $(DROPIN_DIR)/cmake/libarm_pkg.so | grep -c ' T AimRTDynlib' | grep -qx 4
	@$(DROPIN_DIR)/cmake/arm_app | tee $(DROPIN_DIR)/cmake/out | grep -qx '1 fail, code 1003, msg: Server not found' || \
	  { cat $(DROPIN_DIR)/cmake/out; false; }
	@echo "dropin-cmake: 1 passed, 0 failed"

$(DROPIN_PKG)/libarm_messages.so: $(DROPIN_DIR)/messages/robot.pb.cc
	@mkdir -p $(@D)
	$(CXX) $(DROPIN_FLAGS) -O1 -fPIC -shared $(DROPIN_INCLUDE) $< -lprotobuf -o $@
$(DROPIN_PKG)/%.o: $(DROPIN_PKG_SRC)/%.cc $(wildcard $(DROPIN_PKG_SRC)/*.hpp) $(DROPIN_HEADERS) $(DROPIN_GENERATED)
	@mkdir -p $(@D)
	$(CXX) $(DROPIN_PKG_FLAGS) -c $< -o $@
$(DROPIN_PKG)/robot.aimrt_rpc.pb.o: $(DROPIN_HEADERS) $(DROPIN_GENERATED)
	@mkdir -p $(@D)
	$(CXX) $(DROPIN_PKG_FLAGS) -c $(DROPIN_STUB_own)/robot.aimrt_rpc.pb.cc -o $@
$(DROPIN_PKG)/libarm_%.so: $(DROPIN_PKG)/%.o $(DROPIN_PKG)/robot.aimrt_rpc.pb.o $(DROPIN_PKG)/libarm_messages.so
	$(CXX) -shared $(filter %.o,$^) -L$(DROPIN_PKG) -larm_messages -lprotobuf -pthread '-Wl,-rpath,$$ORIGIN' -Wl,-z,defs -o $@
# AddressSanitizer in the program, modules and headers included; the library is as it is shipped.
$(DROPIN_PKG)/app: $(DROPIN_DIR)/sanitize/own/pkg/app.o $(DROPIN_DIR)/sanitize/own/robot.aimrt_rpc.pb.o $(DROPIN_DIR)/sanitize/robot.pb.o | build
	$(CXX) $(DROPIN_FLAGS_sanitize) $^ -L$(LIB_DIR) -Wl,-rpath,$(CURDIR)/$(LIB_DIR) -laimrt_rpc -lprotobuf -pthread -o $@
$(DROPIN_DIR)/sanitize/own/pkg/app.o: $(wildcard $(DROPIN_PKG_SRC)/*.hpp)
.PRECIOUS: $(DROPIN_PKG)/%.o
