# What a person types. `make` alone lists it.
#
#   make demo    a real workflow, run to its end
#   make dev     the server on http://127.0.0.1:7420
#   make localstack   the cloud on this machine: an emulator of AWS, the stack of infra/, Lambda and container workers, a workflow
#   make test    every test (installs what the tests need, once)
#   make lint    everything that must be clean before a merge
#   make bench   benchmarks in their short form, one JSON line a figure
#   make bench-peers   the same workloads on Runnel and on others, and the ratios (installs the others, once)
#   make lint-infra   what is in infra/, checked by the tools of others (part of the tests)
#   make fuzz    the reader of workflow files against mutated files
#   make build   the release binary, target/release/runnel

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo dev localstack test lint-infra lint bench bench-peers fuzz build web setup-tests

# The programs that the external suites use; the tests find them by these names.
export RUNNEL_TEST_MINISTACK ?= $(CURDIR)/.tools/venv/bin/ministack
export RUNNEL_TEST_SCHEMATHESIS ?= $(CURDIR)/.tools/venv/bin/schemathesis

# nextest isolates tests in processes; plain cargo runs the same tests.
TEST_RUNNER := $(shell if cargo nextest --version >/dev/null 2>&1; then echo "cargo nextest run --no-fail-fast"; else echo "cargo test --no-fail-fast"; fi)

help:
	@sed -n 's/^#   //p' Makefile

demo: web
	@bash scripts/demo.sh

dev: web
	@cargo run --quiet -p runnel-cli -- dev

localstack: web
	@bash scripts/localstack.sh

# GraphiQL is built once; without npm the server works and its page tells how to build it.
web:
	@bash scripts/build-web.sh

setup-tests:
	@bash scripts/setup-tests.sh

test: web setup-tests
	@bash scripts/test-web.sh
	cargo build --quiet --workspace --all-targets
	cargo run --quiet -p runnel-tests --bin test-services -- run $(TEST_RUNNER) --workspace

lint: web
	cargo fmt --all --check
	cargo fmt --manifest-path bench/peers/dbos-rust/Cargo.toml --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings
	cargo clippy --quiet -p runnel-cli -p runnel-runtime -p runnel-worker -p runnel-queue --all-targets --features faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
	@bash scripts/check-schema.sh
	@bash scripts/check-text.sh
	@bash scripts/check-web.sh
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo "cargo-deny is not installed: licences and advisories were not checked"; fi
	@echo "lint: clean"

lint-infra: setup-tests
	@bash scripts/check-infra.sh

bench: web
	cargo build --quiet --profile fast -p runnel-cli -p runnel-bench
	@"$${CARGO_TARGET_DIR:-target}/fast/runnel-bench" --quick

# PEERS_FLAGS=--quick for a tenth of the work, `bench/peers/compare --help` for the rest.
bench-peers:
	@bench/peers/compare --install $(PEERS_FLAGS)

fuzz:
	cargo run --quiet --profile fast -p runnel-engine --example fuzz_source -- 100000

build: web
	cargo build --release -p runnel-cli -p runnel-worker
