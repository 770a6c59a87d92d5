# The front door. `make` alone lists the goals; CMakePresets.json and tools/ do the work.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# A compiler takes up to 1.5 GB here, so memory counts as well as cores.
JOBS ?= $(shell awk -v cores=$$(nproc) '/MemAvailable/ { fit = int($$2 / 1500000); \
          print fit < 1 ? 1 : fit < cores ? fit : cores }' /proc/meminfo)
# Handed to the program that a goal starts: make run ARGS="--http-port 9000".
ARGS ?=
PROGRAMS := supernova hear-speech

.PHONY: help
help: ## list the goals
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: build-deps build/release/build.ninja ## install what is missing; build/release/bin/supernova
	cmake --build --preset release -j $(JOBS) --target $(PROGRAMS)

.PHONY: run
run: build ## build, answer one real request, then serve until Ctrl-C
	@tools/run $(ARGS)

.PHONY: test
test: test-deps suite-release ## build everything, run all tests

.PHONY: asan
asan: test-deps suite-asan ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer

.PHONY: tsan
tsan: test-deps suite-tsan ## all tests under ThreadSanitizer

.PHONY: check
check: test-deps ## formatting, include direction, dead files, links, stray words
	@tools/check

.PHONY: format
format: test-deps ## rewrite the sources as .clang-format says
	@tools/check --fix

.PHONY: arm64
arm64: arm64-deps build/arm64/build.ninja ## cross-compile for 64-bit ARM; smoke test if emulated
	cmake --build --preset arm64 -j $(JOBS) --target $(PROGRAMS)
	@tools/smoke build/arm64/bin/supernova

.PHONY: bench
bench: bench-deps build ## measure the server against the bare runtime, imports against their own runtimes
	cmake --build --preset release -j $(JOBS)
	@bench/run $(ARGS)

.PHONY: clients
clients: test-deps build ## published clients (from PyPI) against the server
	@tests/clients/run $(ARGS)

.PHONY: oracles
oracles: test-deps build ## importers against the frameworks' own runtimes (Debian, PyPI)
	@tests/oracles/run $(ARGS)

.PHONY: engines-gpu
engines-gpu: build-deps ## ONNX Runtime's CUDA and TensorRT providers (npm), into deps/onnxruntime-gpu
	@tools/engines_gpu

.PHONY: soak
soak: test-deps build ## loads, reloads and connections by the thousand
	@SUPERNOVA_SOAK=full tests/soak/run $(ARGS)

.PHONY: engines
engines: ## install libraries of further engines: TensorFlow Lite (tools/engines)
	@tools/engines $(ARGS)

.PHONY: clean
clean: ## remove everything built; installed packages stay
	rm -rf build

.PHONY: build-deps test-deps arm64-deps bench-deps
build-deps test-deps arm64-deps bench-deps: %-deps:
	@tools/install $*

.PHONY: suite-release suite-asan suite-tsan
suite-release suite-asan suite-tsan: suite-%: build/%/build.ninja
	cmake --build --preset $* -j $(JOBS)
	ctest --preset $* $(ARGS)

# Configured once, and again when the presets change; ninja itself follows the CMake files.
build/%/build.ninja: CMakePresets.json $(wildcard cmake/toolchains/*) | build-deps
	cmake --preset $*
	@touch $@

.NOTPARALLEL:
.PRECIOUS: build/%/build.ninja
