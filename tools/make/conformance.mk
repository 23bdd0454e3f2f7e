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

# gRPC's own tests. The programs of other projects are installed into build/tools once.
GRPC_SRC         := tests/interop/grpcconformance
GRPC_PEERS       := $(addprefix $(BUILD)/tools/grpcinterop/,client server)
CONNECT_TESTER   := $(BUILD)/tools/connectconformance
GRPC_SOAK        ?= 2000
CONNECT_EXPECTED_server := 372
CONNECT_EXPECTED_client := 403

.PHONY: grpc-peers grpc-conformance connect-server connect-client

grpc-peers: $(GRPC_PEERS)

$(GRPC_PEERS):
	@mkdir -p $(@D) $(BUILD)/log
	@GOBIN="$(CURDIR)/$(@D)" $(GO) install google.golang.org/grpc/interop/$(@F)@v1.85.0 >$(BUILD)/log/grpcinterop-$(@F).log 2>&1 \
	  || { tail -n 20 $(BUILD)/log/grpcinterop-$(@F).log >&2; false; }

$(CONNECT_TESTER):
	@mkdir -p $(@D) $(BUILD)/log
	@GOBIN="$(CURDIR)/$(@D)" $(GO) install connectrpc.com/conformance/cmd/connectconformance@v1.0.5 >$(BUILD)/log/connectconformance.log 2>&1 \
	  || { tail -n 20 $(BUILD)/log/connectconformance.log >&2; false; }

grpc-conformance: $(GRPC_PEERS) ## grpc-go's interoperability cases and soaks, our server and our client
	@cd tests/interop && GRPC_SOAK_CALLS=$(GRPC_SOAK) $(GO) test -count=1 -v ./grpcconformance/...

# connectconformance in one mode. A case that fails, or a number of cases other than expected, fails the target.
connect-server connect-client: connect-%: $(CONNECT_TESTER)
	@mkdir -p $(CONFORMANCE_DIR)
	@$(GO) -C tests/interop build -o $(CURDIR)/$(CONFORMANCE_DIR)/reference-$* ./grpcconformance/reference
	@$(CONNECT_TESTER) --conf $(GRPC_SRC)/features.yaml --mode $* -- $(CONFORMANCE_DIR)/reference-$* $* >$(BUILD)/log/connect-$*.log 2>&1; \
	  grep -v '^$$' $(BUILD)/log/connect-$*.log | tail -n 40; grep -qx '$(CONNECT_EXPECTED_$*) passed, 0 failed' $(BUILD)/log/connect-$*.log \
	  || { echo "connectconformance in $* mode: expected $(CONNECT_EXPECTED_$*) passed, 0 failed; the log is $(BUILD)/log/connect-$*.log" >&2; false; }
