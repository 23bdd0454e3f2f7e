# C++: unit tests, examples built from an installed tree, benchmark, install.
CPP_DIR      := $(BUILD)/cpp
CPP_WARN     := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
CPP_INCLUDE  := -Iinclude -Ibindings/cpp/include -isystem $(CPP_DIR)/gen
CPP_HEADERS  := $(wildcard bindings/cpp/include/aimrt_rpc/*.hpp bindings/cpp/include/aimrt_rpc/detail/*.hpp) include/aimrt_rpc.h
CPP_TESTS    := $(patsubst bindings/cpp/tests/%.cc,%,$(wildcard bindings/cpp/tests/*.cc))
CPP_STANDARDS := 17 20
CPP_LINK     := -L$(LIB_DIR) -Wl,-rpath,$(CURDIR)/$(LIB_DIR) -laimrt_rpc -lgtest -lprotobuf -pthread

# Two variants: C++17 as users build it, C++20 with the sanitizers (in the test program; the library is as it is shipped).
CPP_FLAGS_plain    := -std=c++17 -O1 -g
CPP_FLAGS_sanitize := -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.PHONY: cpp-test cpp-headers cpp-examples cpp-bench install

cpp-test: cpp-headers $(CPP_DIR)/plain/tests $(CPP_DIR)/sanitize/tests ## test the C++ wrapper
	$(CPP_DIR)/plain/tests --gtest_brief=1
	UBSAN_OPTIONS=print_stacktrace=1 $(CPP_DIR)/sanitize/tests --gtest_brief=1

# Every header compiles alone, with every standard.
cpp-headers: $(foreach std,$(CPP_STANDARDS),$(patsubst bindings/cpp/include/aimrt_rpc/%.hpp,$(CPP_DIR)/headers$(std)/%.ok,$(filter %.hpp,$(CPP_HEADERS))))

define cpp_header_rules
$(CPP_DIR)/headers$(1)/%.ok: $(CPP_HEADERS)
	@mkdir -p $$(@D)
	@printf '#include <aimrt_rpc/%s.hpp>\n' '$$*' | $(CXX) -std=c++$(1) $(CPP_WARN) $(CPP_INCLUDE) -fsyntax-only -x c++ -
	@touch $$@
endef
$(foreach std,$(CPP_STANDARDS),$(eval $(call cpp_header_rules,$(std))))

$(CPP_DIR)/gen/echo.pb.cc: bindings/cpp/tests/echo.proto
	@mkdir -p $(@D)
	protoc -I $(<D) --cpp_out=$(@D) $(<F)

define cpp_test_rules
$(CPP_DIR)/$(1)/%.o: bindings/cpp/tests/%.cc bindings/cpp/tests/fixture.hpp $(CPP_HEADERS) $(CPP_DIR)/gen/echo.pb.cc
	@mkdir -p $$(@D)
	$(CXX) $(CPP_FLAGS_$(1)) $(CPP_WARN) $(CPP_INCLUDE) -c $$< -o $$@
$(CPP_DIR)/$(1)/echo.pb.o: $(CPP_DIR)/gen/echo.pb.cc
	@mkdir -p $$(@D)
	$(CXX) $(CPP_FLAGS_$(1)) $(CPP_INCLUDE) -c $$< -o $$@
$(CPP_DIR)/$(1)/tests: $(patsubst %,$(CPP_DIR)/$(1)/%.o,$(CPP_TESTS)) $(CPP_DIR)/$(1)/echo.pb.o | build
	$(CXX) $(CPP_FLAGS_$(1)) $$(filter %.o,$$^) $(CPP_LINK) -o $$@
endef
$(foreach variant,plain sanitize,$(eval $(call cpp_test_rules,$(variant))))

# Installs into a folder of its own, moves that, builds the examples from it with find_package and with pkg-config, runs them.
cpp-examples: build ## build the C and C++ examples from an installed tree and check their output
	@bindings/cpp/tests/examples.sh

cpp-bench: build ## measure calls inside one process in C++
	@cmake -S benchmarks/cpp -B $(CPP_DIR)/bench -DCMAKE_BUILD_TYPE=Release \
	  -Daimrt_rpc_DIR=$$(bindings/cpp/tests/install_into.sh $(CPP_DIR)/bench-prefix) >/dev/null
	@cmake --build $(CPP_DIR)/bench >/dev/null
	@$(CPP_DIR)/bench/bench_local

install: build programs ## install library, headers, CMake and pkg-config files, programs: make install PREFIX=/usr/local [DESTDIR=...]
	@cmake -S . -B $(CPP_DIR)/install -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) -DAIMRT_RPC_BUILD_EXAMPLES=OFF >/dev/null
	cmake --install $(CPP_DIR)/install
