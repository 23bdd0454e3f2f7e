# Pkg files of AimRT in aimrt_main and in a host.
.PHONY: pkg-test pkg-test-asan

pkg-test: build ## load Pkg files that know AimRT's binary contract only, good ones and bad ones
	@$(PYTHON) tests/pkg/run.py

pkg-test-asan: build-asan ## the same with AddressSanitizer in library, program and Pkg files
	@mkdir -p $(BUILD)/asan/bin
	@$(CC) -std=c11 -D_GNU_SOURCE $(ASAN_FLAGS) -fsanitize=address -Iinclude cmd/aimrt_main/main.c -o $(BUILD)/asan/bin/aimrt_main \
	  -L$(ASAN_DIR) -laimrt_rpc '-Wl,-rpath,$$ORIGIN/../lib'
	@AIMRT_RPC_BUILD=$(BUILD)/asan AIMRT_RPC_TEST_FLAGS=-fsanitize=address $(PYTHON) tests/pkg/run.py
