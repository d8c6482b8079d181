# Verbs over meson. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup build run demo test simulate reliability bench lint format tidy fuzz asan tsan clean

MESON_SETUP = test -f $(1)/build.ninja || $(2) meson setup $(1) $(3) >$(1).setup.log || \
	{ cat $(1).setup.log; exit 1; }; rm -f $(1).setup.log

INSTRUMENTED = -Dbuildtype=debugoptimized -Dwerror=false -Dwarning_level=0

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## Install what is missing from Debian (root or sudo), for everything
	@.ci/setup

build:
	@.ci/setup run
	@$(call MESON_SETUP,build,,)
	@ninja -C build --quiet

run: build ## Build, start the appliance, drive it with card transactions, watch it
	@perf/run

demo: build ## The tour: spend, spike; every number measured
	@perf/demo

test: ## Everything that proves it: all suites, sanitizers, fuzzing
	@.ci/setup run test
	@.ci/test

simulate: ## Crash simulated worlds by seed: SEEDS=2000, or SEED=n for one
	@.ci/setup run test
	@$(call MESON_SETUP,build,,)
	@ninja -C build --quiet tests/simulation/simulate
	@tests/simulation/run.py

reliability: ## Kills, power cuts, full disks, damage, SEEDS=100000: the long forms, one table
	@.ci/setup run test
	@$(call MESON_SETUP,build,,)
	@ninja -C build --quiet
	@FRESHET_SOURCE=$(CURDIR) FRESHET_BUILD=$(CURDIR)/build tests/reliability/run.py

bench: ## Measure; writes build/bench.json
	@.ci/setup run bench
	@$(call MESON_SETUP,build,,)
	@ninja -C build --quiet
	@perf/bench

lint: ## Floors, purity, headers, words, twins, formatting
	@.ci/setup run test
	@$(call MESON_SETUP,build,,)
	@ninja -C build --quiet
	@meson test -C build --no-rebuild --print-errorlogs --suite lint

format: ## Format every C file in place
	@.ci/setup test
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format-14 -i

tidy: ## clang-tidy over the product's sources
	@.ci/setup run tidy
	@$(call MESON_SETUP,build-tidy,CC=clang-14,-Db_lundef=false)
	@git ls-files 'dataplane/*.c' 'drivers/*.c' 'config/*.c' 'controlplane/*.c' | \
		xargs -r -n 8 clang-tidy-14 -p build-tidy --quiet

fuzz: ## Fuzz every decoder for FUZZ_SECONDS (60) each
	@.ci/setup run test
	@$(call MESON_SETUP,build-fuzz,CC=clang-14,-Db_sanitize=address$(,)undefined \
		-Db_lundef=false $(INSTRUMENTED) -Dfuzzers=true)
	@ninja -C build-fuzz --quiet
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} meson test -C build-fuzz --no-rebuild --suite fuzz \
		--print-errorlogs --timeout-multiplier 0

asan: ## Tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@.ci/setup run test
	@$(call MESON_SETUP,build-asan,,-Db_sanitize=address$(,)undefined $(INSTRUMENTED))
	@ninja -C build-asan --quiet
	@meson test -C build-asan --no-rebuild --print-errorlogs --suite asan --timeout-multiplier 4

tsan: ## Tests under ThreadSanitizer
	@.ci/setup run test
	@$(call MESON_SETUP,build-tsan,,-Db_sanitize=thread $(INSTRUMENTED))
	@ninja -C build-tsan --quiet
	@meson test -C build-tsan --no-rebuild --print-errorlogs --suite tsan --timeout-multiplier 6

clean: ## Remove every build tree
	@rm -rf build build-asan build-tsan build-fuzz build-tidy

# A comma inside the arguments of $(call).
, := ,
