# The wheel, and build/venv with it installed.
WHEEL_DIR := $(BUILD)/wheel

.PHONY: wheel programs
programs: ## build the programs into build/bin
	@mkdir -p $(BUILD)/bin
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o $(BUILD)/bin/ ./cmd/...
	@ln -sfn protoc-gen-aimrt_rpc $(BUILD)/bin/protoc_plugin_cpp_gen_aimrt_cpp_rpc

wheel: bootstrap ## build the wheel into build/wheel, by zig: runs from glibc 2.17 on
	@$(PYTHON) tools/wheel.py --out $(WHEEL_DIR)
