# Cross-language suites: the reference programs, the sample for make test, and the whole cross product.
CONFORMANCE_DIR := $(BUILD)/conformance
CONFORMANCE_SRC := tests/conformance
CONFORMANCE_CPP := $(wildcard $(CONFORMANCE_SRC)/cpp/*.cc)

.PHONY: conformance-programs conformance-test conformance-full

conformance-programs: build $(CONFORMANCE_DIR)/cpp/program $(CONFORMANCE_DIR)/python/program
	@$(GO) build -o $(CONFORMANCE_DIR)/go/program ./$(CONFORMANCE_SRC)/go

$(CONFORMANCE_DIR)/gen/frame.pb.cc: $(CONFORMANCE_SRC)/frame.proto
	@mkdir -p $(@D)
	@protoc -I $(<D) --cpp_out=$(@D) $(<F)

$(CONFORMANCE_DIR)/cpp/program: $(CONFORMANCE_CPP) $(wildcard $(CONFORMANCE_SRC)/cpp/*.h) $(CONFORMANCE_DIR)/gen/frame.pb.cc $(CPP_HEADERS) | build
	@mkdir -p $(@D)
	@$(CXX) -std=c++17 -O1 -g -isystem $(CONFORMANCE_DIR)/gen -c $(CONFORMANCE_DIR)/gen/frame.pb.cc -o $(@D)/frame.pb.o
	@$(CXX) -std=c++17 -O1 -g $(CPP_WARN) -Iinclude -Ibindings/cpp/include -isystem $(CONFORMANCE_DIR)/gen $(CONFORMANCE_CPP) \
	  $(@D)/frame.pb.o -L$(LIB_DIR) -Wl,-rpath,$(CURDIR)/$(LIB_DIR) -laimrt_rpc -lprotobuf -pthread -o $@

# Two lines that start the program with the package of this tree and the library just built, whatever wheel is installed.
$(CONFORMANCE_DIR)/python/program: $(CONFORMANCE_SRC)/frame.proto tools/make/conformance.mk
	@mkdir -p $(@D)
	@$(BUILD)/venv/bin/python -m grpc_tools.protoc -I $(<D) --python_out=$(@D) $(<F)
	@printf '%s\n' '#!/bin/sh' 'export PYTHONPATH="$(CURDIR)/$(@D):$(CURDIR)/bindings/python/src"' \
	  'export AIMRT_RPC_LIBRARY="$(CURDIR)/$(LIB_DIR)/$(SONAME)"' \
	  'exec "$(CURDIR)/$(BUILD)/venv/bin/python" -B "$(CURDIR)/$(CONFORMANCE_SRC)/python/program.py"' >$@
	@chmod +x $@

conformance-test: conformance-programs ## cross-language suites, a sample in which every pair of values occurs
	@$(GO) run ./$(CONFORMANCE_SRC)/run -sample

conformance-full: conformance-programs ## cross-language suites, all combinations
	@$(GO) run ./$(CONFORMANCE_SRC)/run
