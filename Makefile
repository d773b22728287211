# `make` alone prints this list; every target is one line of intent.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
K ?=
SEED ?=
N ?=
SECONDS ?=
KEEP ?=
WORKERS ?= 2
PYTEST := $(PYTHON) -m pytest -q -n $(WORKERS) --dist loadgroup

.PHONY: help demo test apps check parity fuzz storm bench docs lock clean

help:
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:       ## set up what is needed and show what a forgetful firewall does (15 seconds)
	@scripts/setup run
	@if [ "$$(id -u)" = 0 ] || unshare --user --map-root-user --net true 2>/dev/null; \
	then .venv/bin/fwemu demo; else sudo .venv/bin/fwemu demo; fi

test:       ## every test, on the real kernel too (needs root);  make test K=expiry
	@scripts/setup dev
	@$(SUDO) $(PYTEST) $(if $(K),-k "$(K)")

apps:       ## fast-forward before RabbitMQ, a JVM, Go and others with timers of their own (root; installs them)
	@scripts/setup apps
	@$(SUDO) env FWEMU_APPS=all $(PYTEST) tests/apps/timers $(if $(K),-k "$(K)")

check:      ## what a reviewer runs: format, lint, types, architecture, tests without privileges
	@scripts/setup dev
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@said=$$(.venv/bin/lint-imports --no-cache 2>&1) || { echo "$$said"; exit 1; }
	@$(PYTEST) tests/core --cov=fwemu.core --cov-branch \
	    --cov-report=term-missing:skip-covered --cov-fail-under=100
	@$(PYTEST) -m "not kernel" --ignore=tests/core

parity:     ## thousands of conversations, packet by packet, before the engine and the kernel (root)
	@scripts/setup dev
	@$(SUDO) $(PYTHON) -m tests.parity $(if $(SEED),--seed $(SEED))

fuzz:       ## packets that nobody would send, for a minute;  make fuzz SECONDS=600 SEED=5 KEEP=1
	@scripts/setup dev
	@$(PYTHON) -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

storm:      ## labs and firewalls killed at random moments, and a look at what is left (root);  make storm N=1000 SEED=5
	@scripts/setup dev
	@$(SUDO) $(PYTHON) -m tests.storm $(if $(N),--labs $(N)) $(if $(SEED),--seed $(SEED))

bench:      ## every figure that the README quotes, measured on this machine (needs root)
	@scripts/setup dev
	@$(SUDO) $(PYTHON) -m bench

docs:       ## the reference pages and the example configuration, generated from the code
	@scripts/setup dev
	@$(PYTHON) -m reference

lock:       ## choose the versions of all dependencies anew (requirements/*.lock)
	@scripts/lock

clean:      ## remove what was built here; labs are removed by `fwemu down --all`
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
