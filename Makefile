# One entry point for people and for CI. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where `make run` keeps its data, and the ports it listens on (0 takes a free one).
DATA ?= millrace-data
KAFKA_PORT ?= 9092
REGISTRY_PORT ?= 8081
HTTP_PORT ?= 8080
NEXTEST_VERSION := 0.9.151
COMMA := ,

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

.PHONY: run
run: build ## Build, start everything embedded, load a demo network, show a feed and stay up
	@exec "$${CARGO_TARGET_DIR:-target}/release/millrace" demo --data $(DATA) --kafka-port $(KAFKA_PORT) --registry-port $(REGISTRY_PORT) --http-port $(HTTP_PORT)

.PHONY: build
build: ## Build the binary, target/release/millrace
	@scripts/needs build
	cargo build --release --locked -p millrace-cli --bin millrace

# Link-time optimised, for packages and measurements: some minutes longer than `build`.
.PHONY: dist
dist: ## Build what is packaged and measured, target/dist/millrace
	@scripts/needs build
	cargo build --profile dist --locked -p millrace-cli --bin millrace

# Always the whole workspace: with `-p`, or without its tests, cargo chooses other features of the libraries below and
# builds most of them once more.
.PHONY: test
test: ## Set up what the tests need and run them all, on real Kafka, CQL and a registry
	@scripts/needs build test
	@scripts/nextest $(NEXTEST_VERSION)
	cargo build --locked --workspace --bins --tests
	@scripts/stays-fresh build --locked --workspace --bins --tests
	cargo test --locked --workspace --doc -q
	SEED=1 scripts/fuzz all 3
	@"$${CARGO_TARGET_DIR:-target}/debug/millrace-services" exec -- cargo nextest run --locked --workspace $(TESTS)
	@echo "make test ran every crate's tests and documentation examples: in memory, on the embedded broker,"
	@echo "registry and SQLite, and on real Kafka, a real CQL server and a real registry."

# MUTATIONS=20000 inputs that were changed anywhere; those of `make test-long` are a million a language.
.PHONY: test-sdk
test-sdk: ## Run the tests of the packages in sdk/, each in its language; MUTATIONS=20000
	@scripts/needs build test
	@MUTATIONS=$(or $(MUTATIONS),20000) scripts/sdk-test
	MUTATIONS=$(or $(MUTATIONS),20000) cargo test --locked -q -p millrace-sdk --test main vectors

.PHONY: sdk-mutations
sdk-mutations: ## Let the packages read a million inputs that were changed anywhere, and write sdk/matrix/MUTATIONS.md
	@scripts/needs build test
	@scripts/sdk-setup
	cd sdk/typescript && npx tsc -p tsconfig.test.json
	.cache/sdk-python/bin/python sdk/matrix/mutations.py

.PHONY: sdk-matrix
sdk-matrix: ## Have the packages of all languages send every command, embedded and on Kafka, and read each other's events; RECORD=1
	@scripts/needs build test
	cargo build --locked --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/millrace-services" exec --servers kafka,registry -- \
		scripts/sdk-matrix $(if $(RECORD),--record)

.PHONY: examples
examples: ## Run the programs in examples/ against one deployment: producers, and aggregators that are killed; SIZE=3, KAFKA=1
	@scripts/needs build test
	cargo build --locked --workspace --bins
	scripts/examples producers
	$(if $(KAFKA),"$${CARGO_TARGET_DIR:-target}/debug/millrace-services" exec --servers kafka$(COMMA)registry --) \
		scripts/examples aggregators --size $(or $(SIZE),3) $(if $(KAFKA),--on kafka)

# It commits and tags when all of it has succeeded, and else leaves the tree as it was. DRY_RUN=1 does not even then.
.PHONY: release
release: ## Release the packages as VERSION=0.2.0: refuse breaks, build, install, run the vectors, tag; PUBLISH=1, DRY_RUN=1
	@scripts/needs build test
	@scripts/release "$(VERSION)"

.PHONY: release-check
release-check: ## Say what keeps VERSION=0.2.0 from being released, and build nothing
	@scripts/needs build test
	@scripts/sdk-setup
	@cargo run --locked -q -p millrace-release -- check "$(VERSION)"

# In a scratch clone of what is committed; RECORD=1 writes sdk/release/RESULTS.md.
.PHONY: release-test
release-test: ## Release the next version in a scratch clone, all packages built, installed and tried, and throw it away; RECORD=1
	@scripts/needs build test
	@scripts/release-test $(if $(RECORD),--record)

.PHONY: release-publish
release-publish: ## Say where VERSION=0.2.0, which was released, would be published; PUBLISH=1 does it, ONLY="npm pypi crates git"
	@scripts/release-publish "$(VERSION)"

# Every client in its language: Java, Go, Node and Python, which are fetched into .cache. Some minutes.
# CLIENTS=java,sarama and CASES=job,group choose; RECORD=1 writes tests/clients/RESULTS.md.
.PHONY: test-clients
test-clients: ## Run the table of Kafka clients of four languages on Kafka and on the embedded broker; RECORD=1
	@scripts/needs build test clients
	cargo build --locked --workspace --bins
	@python=$$("$${CARGO_TARGET_DIR:-target}/debug/millrace-services" python) && \
	"$${CARGO_TARGET_DIR:-target}/debug/millrace-services" exec --servers kafka,registry -- \
	$$python tests/clients/run.py --millrace "$${CARGO_TARGET_DIR:-target}/debug/millrace" \
		$(if $(CLIENTS),--clients "$(CLIENTS)") $(if $(CASES),--cases "$(CASES)") \
		$(if $(RECORD),--record tests/clients/RESULTS.md)

# By the gateway's own document: `make test` runs some hundred of them.
CASES ?= 100000
WORKERS ?= 1

.PHONY: test-api
test-api: build ## Ask a live gateway CASES=100000 things that its document allows or not (schemathesis); SEED=, WORKERS=1
	@scripts/needs test
	@python=$$(cargo run --locked -q -p millrace-services -- python --api) && \
	$$python tests/api/live.py --millrace "$${CARGO_TARGET_DIR:-target}/release/millrace" --cases $(CASES) \
		--workers $(WORKERS) $(if $(SEED),--seed $(SEED))

# Chaos of ten minutes, 20,000 seeded histories and each planted bug, ten million inputs for each fuzz target, and 100,000
# questions to a gateway: some hours.
.PHONY: test-long
test-long: test-clients ## Run the tests that take too long for every change
	$(MAKE) gateways COMMANDS=10000 PAIRS=100000
	$(MAKE) chaos MINUTES=10
	$(MAKE) simulate SEEDS=20000
	$(MAKE) planted
	$(MAKE) fuzz RUNS=10000000
	$(MAKE) test-api CASES=100000
	$(MAKE) examples SIZE=30
	$(MAKE) examples SIZE=10 KAFKA=1
	$(MAKE) release-test RECORD=1
	$(MAKE) sdk-mutations
	$(MAKE) sdk-matrix RECORD=1

.PHONY: gateways
gateways: ## Kill gateways, broker and processors under COMMANDS=600 over HTTP, and read PAIRS=400 of one's own writes
	@scripts/needs build test
	cargo build --locked --workspace --bins
	MILLRACE_TEST_HTTP_COMMANDS=$(or $(COMMANDS),600) MILLRACE_TEST_HTTP_PAIRS=$(or $(PAIRS),400) \
		cargo run --locked -q -p millrace-services -- exec -- \
		cargo nextest run --profile long --locked --workspace -E 'test(/gateway_re/)'

.PHONY: chaos
chaos: ## Break everything under load for MINUTES=10 (or SECONDS=…) on real servers; SEED=…, RATE=…
	@scripts/needs build test
	cargo build --locked -p millrace-cli -p millrace-blackbox --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/millrace-chaos" $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE))

# Profile "simulate" is a release build with debug assertions; it takes some minutes the first time.
SEEDS ?= 2000

.PHONY: simulate
simulate: ## Run SEEDS=2000 seeded histories with faults; FROM=, WORKLOAD=chirp|accounting|clubs|identity|projects|estimation, JOBS=, REPLAY=1
	@scripts/needs build
	cargo run --locked -q --profile simulate -p millrace-simulate --bin simulate -- --seeds $(SEEDS) \
		$(if $(FROM),--from $(FROM)) $(if $(WORKLOAD),--workload $(WORKLOAD)) $(if $(JOBS),--jobs $(JOBS)) \
		$(if $(REPLAY),--replay)

.PHONY: planted
planted: ## Turn on one planted bug after the other and count the histories, of SEEDS=2000, that find it
	@scripts/needs build
	cargo run --locked -q --profile simulate -p millrace-simulate --bin simulate -- \
		--planted --seeds $(SEEDS) $(if $(FROM),--from $(FROM)) $(if $(JOBS),--jobs $(JOBS))

# Each target gets SECONDS=60 or RUNS=…, whichever is over first; TARGET=all takes every one, two at a time.
TARGET ?= all

.PHONY: fuzz
fuzz: ## Fuzz every parser of foreign bytes; TARGET=name, SECONDS=60 each, RUNS=, SEED=; scripts/fuzz list names them
	@scripts/needs build
	@SEED=$(SEED) scripts/fuzz $(TARGET) $(if $(SECONDS),$(SECONDS),$(if $(RUNS),0,60)) $(or $(RUNS),0)

.PHONY: lint
lint: ## Check the formatting and lint everything; warnings are errors
	@scripts/needs build
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@scripts/lint-python

.PHONY: bench
bench: bench-end-to-end bench-first-second bench-throughput bench-latency bench-restore bench-growth bench-read-side bench-fan-out bench-feed bench-network ## Measure everything that bench/README.md shows, beside its peers

.PHONY: bench-build
bench-build: dist ## Build what is compared: optimised binaries and the Kafka Streams program
	@scripts/needs test
	cargo build --profile dist --locked -p millrace-bench-workload -p millrace-bench-raw-copy
	mvn -q -B -f bench/peers/kafka-streams/pom.xml compile dependency:copy-dependencies -DincludeScope=runtime

.PHONY: bench-end-to-end
bench-end-to-end: dist ## Measure chirps to outcome and to row, embedded and on Kafka with CQL
	@scripts/needs test
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	$$python bench/end_to_end.py embedded && \
	cargo run --locked -q -p millrace-services -- exec -- $$python bench/end_to_end.py cluster

# Further flags for the script, such as BENCH="--rounds 1 --only millrace".
BENCH ?=

.PHONY: bench-first-second
bench-first-second: dist ## Measure send, load and the other short commands from start to end; BENCH=flags
	@scripts/needs test
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/first_second.py $(BENCH)

.PHONY: bench-ready
bench-ready: dist ## Measure a start of `up` after kill -9, with 40,000 and 120,000 commands and with none; BENCH=flags
	@scripts/needs test
	@python=$$(cargo run --locked -q -p millrace-services -- python) && $$python bench/ready.py $(BENCH)

.PHONY: bench-throughput
bench-throughput: bench-build ## Measure commands per CPU-second beside a raw copy and Kafka Streams; BENCH=flags
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/throughput.py $(BENCH)

.PHONY: bench-latency
bench-latency: bench-build ## Measure command to visible outcome at steady rates, beside the same; BENCH=flags
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/latency.py $(BENCH)

# Ten million aggregates take half an hour and 20 GB of disk; BENCH="--aggregates 100000 --ids 50000" takes some minutes.
.PHONY: bench-restore
bench-restore: bench-build ## Measure restarts after kill -9 with much state, beside Kafka Streams; BENCH=flags
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/restore.py $(BENCH)

.PHONY: bench-growth
bench-growth: bench-build ## Measure what more aggregates and partitions cost, and draw it; BENCH=flags
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/growth.py $(BENCH)

.PHONY: bench-gateway
bench-gateway: dist ## Measure what outcomes over HTTP cost beside those read directly, and commands per CPU second; BENCH=flags
	@scripts/needs test
	@$$(cargo run --locked -q -p millrace-services -- python) bench/gateway.py $(BENCH)

.PHONY: bench-live
bench-live: dist ## Measure streams: how soon a change is heard of, memory of idle and stuck ones; BENCH=flags
	@scripts/needs test
	@$$(cargo run --locked -q -p millrace-services -- python) bench/live.py $(BENCH)

.PHONY: bench-pages
bench-pages: dist ## Measure from a click in one window of a browser to the change in another; BENCH=flags
	@scripts/needs test
	cd web && npm ci --no-audit --no-fund --loglevel=error && npx tsc -p tsconfig.node.json
	cd tests/pages && npm ci --no-audit --no-fund --loglevel=error
	@MILLRACE="$${CARGO_TARGET_DIR:-target}/dist/millrace" node bench/pages.mjs $(BENCH)

.PHONY: bench-read-side
bench-read-side: dist ## Measure what a longer history costs projectors: rows a second, memory, disk, restarts; BENCH=flags
	@scripts/needs test
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	cargo run --locked -q -p millrace-services -- exec --servers kafka,registry -- $$python bench/read_side.py $(BENCH)

# The tests' CQL server has three quarters of a gigabyte and stops for its garbage longer than anything takes that is measured here.
LARGE_CQL := CASS_XMS=3g CASS_HEAP=3g CASS_DIRECT=1g CASS_JVM=-XX:+UseZGC

.PHONY: bench-fan-out
bench-fan-out: ## Measure fan-outs: memory, rows a second, what a giant costs others; BENCH=flags
	@scripts/needs test
	cargo build --profile dist --locked -p millrace-bench-fan-out
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	$(LARGE_CQL) cargo run --locked -q -p millrace-services -- exec --servers cql -- $$python bench/fan_out.py $(BENCH)

.PHONY: bench-feed
bench-feed: ## Measure pages of feeds on SQLite and CQL, quietly and under load, beside the bare clients; BENCH=flags
	@scripts/needs test
	cargo build --profile dist --locked -p millrace-bench-fan-out
	@python=$$(cargo run --locked -q -p millrace-services -- python) && \
	$(LARGE_CQL) cargo run --locked -q -p millrace-services -- exec --servers cql -- $$python bench/feed.py $(BENCH)

# A hundred thousand people and five million follows take some GB of disk; BENCH="--people 2000 --follows 50000" takes a minute.
.PHONY: bench-network
bench-network: dist ## Load a large network through commands, then rebuild its timelines under load; BENCH=flags
	@scripts/needs test
	cargo build --profile dist --locked -p millrace-bench-fan-out
	@python=$$(cargo run --locked -q -p millrace-services -- python) && $$python bench/network.py $(BENCH)

.PHONY: bench-sdk
bench-sdk: ## Measure how fast the packages read and write messages, beside avsc, fastavro, twmb/avro and apache-avro
	@scripts/needs test
	@scripts/sdk-setup
	cd sdk/typescript && npx tsc -p tsconfig.test.json
	cargo build --profile dist --locked -p millrace-bench-sdk
	.cache/sdk-python/bin/python bench/sdk_codecs.py --rust "$${CARGO_TARGET_DIR:-target}/dist/millrace-bench-sdk"

.PHONY: docs
docs: ## Render docs/configuration.md, and the metrics in docs/operations.md, from what the code says of them
	cargo run --locked -q -p millrace-cli --bin millrace -- config --explain > docs/configuration.md
	cargo run --locked -q -p millrace-cli --bin millrace -- metrics | scripts/between-marks metrics docs/operations.md

VIZ := target/viz

.PHONY: viz
viz: build ## Draw the system from declarations and docker-compose.yml alone, as Structurizr DSL, Mermaid and JSON, into target/viz
	@mkdir -p $(VIZ)
	@draw="$${CARGO_TARGET_DIR:-target}/release/millrace architecture --declared --compose docker-compose.yml" && \
	$$draw --format dsl --out $(VIZ)/workspace.dsl && \
	$$draw --json --out $(VIZ)/architecture.json && \
	$$draw --format mermaid --out $(VIZ)/contexts.mmd && \
	for context in $(notdir $(wildcard schemas/*)); do \
		$$draw $$context --format mermaid --out $(VIZ)/$$context.mmd || exit 1; done && \
	$$draw && echo "wrote $(VIZ)/workspace.dsl for Structurizr, *.mmd for Mermaid, architecture.json"

.PHONY: pages
pages: ## Build the pages anew, web/ into web/dist, which is checked in; needs Node.js
	@scripts/needs test
	cd web && npm ci --no-audit --no-fund --loglevel=error && npm run -s check && npm run -s build -- --logLevel warn

.PHONY: schemas
schemas: ## Write what is made from schemas/*: registered schemas, docs/openapi.json, docs/asyncapi.json, the pages' types, sdk/
	cargo run --locked -q -p millrace-schemagen --bin millrace-schemagen -- $(sort $(wildcard schemas/*))
	cargo run --locked -q -p millrace-schemagen --bin millrace-schemagen -- --typescript web/src/client/types.ts $(sort $(wildcard schemas/*))
	cargo run --locked -q -p millrace-schemagen --bin millrace-schemagen -- --sdk sdk $(sort $(wildcard schemas/*))
	scripts/sdk-format
	cargo build --locked -q -p millrace-cli --bin millrace
	@cd docs && for document in openapi asyncapi; do \
		"$${CARGO_TARGET_DIR:-../target}/debug/millrace" gateway --$$document > $$document.json.new && \
		mv $$document.json.new $$document.json || exit 1; done

.PHONY: ci
ci: test lint ## What continuous integration runs

.PHONY: clean-data
clean-data: ## Forget the data of `make run`
	rm -rf $(DATA)
