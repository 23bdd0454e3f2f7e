# Six modules in one process, C++ in two Pkgs and Python, that call each other: tests/pairs.
PAIRS_DIR   := $(BUILD)/tests/pairs
PAIRS_SRC   := tests/pairs
PAIRS_FLAGS := $(DROPIN_FLAGS) -O1 -g1 -fPIC -fvisibility=hidden -Iinclude -Ibindings/cpp/include -I$(DROPIN_ROOT) \
               $(addprefix -I$(DROPIN_ROOT)/,$(DROPIN_PARTS)) -I$(PAIRS_SRC) -isystem $(PAIRS_DIR)/gen
PAIRS_FLAGS_plain :=
PAIRS_FLAGS_asan  := -fsanitize=address -fno-omit-frame-pointer
PAIRS_PKGS  := $(foreach variant,plain asan,$(foreach pkg,one two,$(PAIRS_DIR)/$(variant)/libpairs_$(pkg).so))
PAIRS_STUB  := $(PAIRS_DIR)/gen/peer.pb.cc $(PAIRS_DIR)/gen/peer.aimrt_rpc.pb.cc
PAIRS_PY    := $(PAIRS_DIR)/python/modules_aimrt_rpc_pb2.py

.PHONY: pairs-test pairs-programs
pairs-programs: $(PAIRS_PKGS) $(PAIRS_PY)
pairs-test: build $(PAIRS_PKGS) $(PAIRS_PY) ## four C++ modules in two Pkgs and two Python modules in one process, all pairs
	@$(BUILD)/venv/bin/python $(PAIRS_SRC)/run.py $(PAIRS_DIR)

$(PAIRS_STUB) &: $(PAIRS_SRC)/peer.proto $(DROPIN_GENERATOR)
	@mkdir -p $(@D)
	@protoc -I $(<D) --cpp_out=$(@D) --plugin=protoc-gen-aimrt_rpc=$(DROPIN_GENERATOR) --aimrt_rpc_out=lang=cpp:$(@D) $(<F)

$(PAIRS_PY): $(wildcard $(PAIRS_SRC)/*.proto) $(DROPIN_GENERATOR)
	@mkdir -p $(@D)
	@$(BUILD)/venv/bin/python -m grpc_tools.protoc -I $(PAIRS_SRC) --python_out=$(@D) \
	  --plugin=protoc-gen-aimrt_rpc=$(DROPIN_GENERATOR) --aimrt_rpc_out=$(@D) peer.proto modules.proto

# As in dropin.mk, the messages are a library of their own.
define pairs_rules
$(PAIRS_DIR)/$(1)/libpairs_messages.so: $(PAIRS_STUB)
	@mkdir -p $$(@D)
	$(CXX) $(PAIRS_FLAGS) $(PAIRS_FLAGS_$(1)) -fvisibility=default -shared $(PAIRS_DIR)/gen/peer.pb.cc -lprotobuf -o $$@
$(PAIRS_DIR)/$(1)/peer.aimrt_rpc.pb.o: $(PAIRS_STUB) $(DROPIN_HEADERS)
	@mkdir -p $$(@D)
	$(CXX) $(PAIRS_FLAGS) $(PAIRS_FLAGS_$(1)) $(DROPIN_WARN) -c $(PAIRS_DIR)/gen/peer.aimrt_rpc.pb.cc -o $$@
$(PAIRS_DIR)/$(1)/pkg_%.o: $(PAIRS_SRC)/pkg_%.cc $(PAIRS_SRC)/member.hpp $(PAIRS_STUB) $(DROPIN_HEADERS)
	@mkdir -p $$(@D)
	$(CXX) $(PAIRS_FLAGS) $(PAIRS_FLAGS_$(1)) $(DROPIN_WARN) -c $$< -o $$@
$(PAIRS_DIR)/$(1)/libpairs_%.so: $(PAIRS_DIR)/$(1)/pkg_%.o $(PAIRS_DIR)/$(1)/peer.aimrt_rpc.pb.o $(PAIRS_DIR)/$(1)/libpairs_messages.so
	$(CXX) $(PAIRS_FLAGS_$(1)) -shared $$(filter %.o,$$^) -L$$(@D) -lpairs_messages -lprotobuf -pthread '-Wl,-rpath,$$$$ORIGIN' -o $$@
endef
$(foreach variant,plain asan,$(eval $(call pairs_rules,$(variant))))
.PRECIOUS: $(foreach variant,plain asan,$(PAIRS_DIR)/$(variant)/pkg_%.o)
