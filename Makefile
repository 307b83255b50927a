# `make up` turns this machine into a cluster with a running application; `make test` runs all tests.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The distribution's interpreter is built with profile-guided optimisation, one compiled by hand often is not. It has to
# have what environments and extensions are made with.
FIT := import ensurepip, os, sys, sysconfig; os.stat(sysconfig.get_path('include') + '/Python.h'); assert sys.version_info >= (3, 11)
BASE_PYTHON ?= $(shell for each in /usr/bin/python3 python3; do $$each -c "$(FIT)" 2>/dev/null && break; done; echo $$each)
VENV := .venv
PYTHON := $(VENV)/bin/python
CYBERNETES := $(VENV)/bin/cybernetes
PACKAGES := src/cybernetes/install/packages.sh
STAMP := $(VENV)/.built
INPUTS := pyproject.toml setup.py .ci/constraints.txt $(wildcard ext/cybernetes_native/*.pyx ext/cybernetes_native/*.pxd proto/*.py proto/*/*.tsv src/cybernetes/install/images/*.c src/cybernetes/install/*.c src/cybernetes/network/cni/*.[ch])

.PHONY: help up down build packages check test test-unit sim fuzz conformance behaviours perf wheel clean

help: ## list these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

up: packages build ## from this machine to a running application: cluster, image, registry, Service
	@$(CYBERNETES) up
	@examples/hello/run

down: build ## stop the cluster and take back everything that it put on this machine
	@$(CYBERNETES) down

packages:
	@$(PACKAGES) build

build: $(STAMP) ## the virtual environment, generated code and compiled kernels

$(STAMP): $(INPUTS)
	@test -x $(PYTHON) || { echo "making $(VENV)"; $(BASE_PYTHON) -m venv $(VENV); }
	@echo "installing the project into $(VENV)"
	@$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(PYTHON) -m pip install -q --disable-pip-version-check -r /dev/stdin
	@$(PYTHON) -m pip install -q --disable-pip-version-check --no-build-isolation -c .ci/constraints.txt -e '.[dev]'
	@$(PYTHON) setup.py -q build_ext --inplace
	@touch $@

check: build ## style, types, layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONPATH=src:ext $(VENV)/bin/lint-imports

test: build ## all tests, from the smallest to real containers
	@$(PACKAGES) build test
	$(MAKE) check
	$(PYTHON) -m pytest tests

test-unit: build ## only the tests that need neither root nor containers
	$(PYTHON) -m pytest tests -m "not privileged and not slow"

sim: build ## hundreds of seeded clusters in virtual time, with faults
	$(PYTHON) -m cybernetes.sim

fuzz: build ## a million made-up inputs for whatever reads what clients send
	FUZZ_INPUTS=$${FUZZ_INPUTS:-60000} nice $(PYTHON) -m pytest tests/fuzz -n auto --timeout 0
	nice $(PYTHON) tests/fuzz/guided.py

conformance: build ## replay recorded answers of the reference against this API server
	tests/conformance/run

behaviours: build ## upstream's conformance behaviours of workloads, networks and scheduling, and a partition, on real clusters
	$(PYTHON) -m pytest tests/e2e/rows
	$(PYTHON) -m pytest tests/e2e/partition

perf: build ## every benchmark, each with its promise
	$(PYTHON) perf/report.py

wheel: build ## a wheel that works alone
	$(PYTHON) -m pip wheel -q --no-deps --no-build-isolation -w dist .

clean: ## what was built
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache
	find src ext \( -name '*.so' -o -name '*_pb2*.py*' -o -name '*.c' -path '*ext*' \) -delete
