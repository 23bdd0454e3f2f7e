# The one entry point. `make help` lists the targets; rules live in tools/make/, one file per area.
SHELL := /bin/bash
.DEFAULT_GOAL := build
.DELETE_ON_ERROR:

BUILD  := build
GO     ?= go
PYTHON ?= python3
PREFIX ?= /usr/local
export GOFLAGS := -buildvcs=false $(filter-out -buildvcs=false,$(GOFLAGS))

include $(sort $(wildcard tools/make/*.mk))

.PHONY: help clean
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

clean: ## remove everything that was built
	rm -rf $(BUILD)
