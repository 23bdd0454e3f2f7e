# Stress, soak, and the library inside a C++ program with an embedded interpreter.
.PHONY: stress-test stress-test-asan soak-test embed-test

stress-test: build ## leaks, floods, storms, killed peers; the short form
	@$(PYTHON) tests/stress/run.py

# Without the Python program: an interpreter that is not built for it cannot load a library with AddressSanitizer.
stress-test-asan: build-asan ## the same with AddressSanitizer in library and tests
	@AIMRT_RPC_BUILD=$(BUILD)/asan AIMRT_RPC_TEST_FLAGS=-fsanitize=address $(PYTHON) tests/stress/run.py cycles churn flood storms peers

soak-test: build ## the same again and again for SOAK_SECONDS (default 600)
	@$(PYTHON) tests/stress/run.py --soak

embed-test: build ## a C++ program that embeds each CPython of the machine and shares its runtime
	@$(PYTHON) tests/embed/run.py
