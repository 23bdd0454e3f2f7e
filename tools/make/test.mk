# Steps with progress and a summary: tools/steps.py holds the lists.
.PHONY: demo test lint interop conformance soak fuzz bench bootstrap

bootstrap: ## install what is missing (Debian packages when root, Python tools under build/)
	@tools/bootstrap.sh

demo: ## the main job: the AimRT guide's programs, C++ and Python in one process, a table of calls
	@$(PYTHON) tools/steps.py demo

test: ## all tests: unit, binding, ABI, examples, bounded interop
	@$(PYTHON) tools/steps.py test

lint: ## formatters, linters, type checks, generated files up to date
	@$(PYTHON) tools/steps.py lint

interop: ## long form of the tests against real peers
	@$(PYTHON) tools/steps.py interop

conformance: ## cross-language suites, all combinations
	@$(PYTHON) tools/steps.py conformance

soak: ## leaks, kill -9 peers, signal storms, fork, for minutes
	@$(PYTHON) tools/steps.py soak

fuzz: ## every fuzz target for FUZZTIME each (default 30s), one per processor
	@$(PYTHON) tools/steps.py fuzz

bench: ## measure beside peers and floors, write build/bench/results.json
	@$(PYTHON) tools/steps.py bench
