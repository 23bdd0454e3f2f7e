# Pkg files of AimRT in aimrt_main and in a host.
.PHONY: pkg-test

pkg-test: build ## load Pkg files that know AimRT's binary contract only, good ones and bad ones
	@$(PYTHON) tests/pkg/run.py
