# The library itself, and what is generated from sources of truth.
ABI_VERSION := $(shell awk '/^\#define AIMRT_RPC_ABI_VERSION/{print $$3}' include/aimrt_rpc.h)
VERSION     := $(shell awk '/^\#define AIMRT_RPC_VERSION_(MAJOR|MINOR|PATCH)/{v = v s $$3; s = "."} END{print v}' include/aimrt_rpc.h)

LIB_DIR  := $(BUILD)/lib
OBJ_DIR  := $(BUILD)/obj
ASAN_DIR := $(BUILD)/asan/lib
SONAME   := libaimrt_rpc.so.$(ABI_VERSION)
LIB_FILE := libaimrt_rpc.so.$(VERSION)
LIB      := $(LIB_DIR)/$(LIB_FILE)

# For the C half; its language and warnings stand in capi/main.go and its own checks. These flags hold no path of this machine, so that two builds of one tree are equal.
LIB_CFLAGS := -O2 -g0
ASAN_FLAGS := -O1 -g -fno-omit-frame-pointer
# The linker finds the list in LIBRARY_PATH: with a path in the flags the build id would depend on the folder.
LIB_LINK   := -Wl,--version-script=exports.map -Wl,-soname,$(SONAME) -Wl,-z,relro -Wl,-z,now

# $(call install_library,built file,folder): puts a new version in place in one step (a running program keeps the old one), leaves an equal
# one alone, and makes the links.
define install_library
	@mkdir -p $(2)
	@if ! cmp -s $(1) $(2)/$(LIB_FILE); then cp $(1) $(2)/.new && mv $(2)/.new $(2)/$(LIB_FILE); fi
	@ln -sfn $(LIB_FILE) $(2)/$(SONAME) && ln -sfn $(SONAME) $(2)/libaimrt_rpc.so
endef

.PHONY: build build-asan generate abi-test abi-test-asan

# The Go tool knows what the library is made of and builds only what changed.
build: ## build the library into build/lib
	@mkdir -p $(OBJ_DIR)
	@LIBRARY_PATH="$(CURDIR)/capi" CGO_ENABLED=1 CGO_CFLAGS="$(LIB_CFLAGS)" $(GO) build -trimpath -buildmode=c-shared \
	  -ldflags "-s -w -extldflags '$(LIB_LINK)'" -o $(OBJ_DIR)/libaimrt_rpc.so ./capi
	$(call install_library,$(OBJ_DIR)/libaimrt_rpc.so,$(LIB_DIR))
	@$(MAKE) --no-print-directory $(MAIN)

# Finds the library beside itself, in the tree and after an installation.
MAIN := $(BUILD)/bin/aimrt_main
$(MAIN): cmd/aimrt_main/main.c include/aimrt_rpc.h
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE -O2 -fPIE -pie -Wall -Wextra -Wpedantic -Werror -Iinclude $< -o $@.new \
	  -L$(LIB_DIR) -laimrt_rpc '-Wl,-rpath,$$ORIGIN/../lib:$$ORIGIN/../lib64' && mv $@.new $@

build-asan: ## build the library with AddressSanitizer into build/asan/lib
	@mkdir -p $(OBJ_DIR)/asan
	@LIBRARY_PATH="$(CURDIR)/capi" CGO_ENABLED=1 CGO_CFLAGS="$(ASAN_FLAGS)" $(GO) build -asan -buildmode=c-shared \
	  -ldflags "-extldflags '$(LIB_LINK)'" -o $(OBJ_DIR)/asan/libaimrt_rpc.so ./capi
	$(call install_library,$(OBJ_DIR)/asan/libaimrt_rpc.so,$(ASAN_DIR))

generate: ## write the generated files anew
	@$(GO) run ./tools/abigen
	@if [ -d tools/statusgen ]; then $(GO) run ./tools/statusgen; fi

abi-test: build ## check the binary contract: header, layouts, exports, hostile use, fork, signals
	@$(PYTHON) tests/abi/run.py

abi-test-asan: build-asan ## the same with AddressSanitizer in library and tests
	@AIMRT_RPC_BUILD=$(BUILD)/asan AIMRT_RPC_TEST_FLAGS=-fsanitize=address $(PYTHON) tests/abi/run.py hostile sizes echo engine filters hosted links life forked
