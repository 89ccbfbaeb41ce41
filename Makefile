# lightning_grpc: `make` alone prints this help.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
FLOOR := .venv-floor
PROTO := .venv-proto
PROTOS := $(wildcard protos/lightning_grpc/v1/*.proto)
GENERATED := lightning_grpc/v1
PIP_FLAGS := --quiet --disable-pip-version-check
TESTS ?= tests
# Files of tests are shared out to this many processes, in their order: long ones come first, and the many short ones of
# tests/unit last, so that all end together. If a process dies, all end, instead of waiting for it.
PROCESSES ?= 2
PYTEST := -m pytest -q -n $(PROCESSES) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: help
help: ## Print this help
	@echo "lightning_grpc: gRPC microservices with the component model of Lightning Apps"
	@echo
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

.PHONY: run
run: $(VENV)/.ready ## Set everything up and run the main example: a census of the standard library
	@$(BIN)/lightning-grpc run app --no-server examples/census/app.py

.PHONY: test
test: $(VENV)/.ready ## Set everything up and run the tests (TESTS=path for some, PROCESSES=n at a time)
	@$(BIN)/python $(PYTEST) -m "not slow" $(TESTS)

.PHONY: test-slow
test-slow: $(VENV)/.ready ## Run the tests that take a minute or more each
	@$(BIN)/python $(PYTEST) -m slow $(TESTS)

.PHONY: check
check: format-check lint types contracts proto-check proto-breaking test test-slow test-floor ## All that CI runs

.PHONY: format
format: $(VENV)/.ready ## Format the code and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

.PHONY: format-check
format-check: $(VENV)/.ready
	@$(BIN)/ruff format --check .

.PHONY: lint
lint: $(VENV)/.ready ## Lint the code
	@$(BIN)/ruff check .

.PHONY: types
types: $(VENV)/.ready ## Check the types
	@$(BIN)/mypy

.PHONY: contracts
contracts: $(VENV)/.ready ## Check who imports whom
	@$(BIN)/lint-imports --no-cache

.PHONY: proto
proto: $(PROTO)/.ready $(VENV)/.ready ## Generate the protobuf code and the test vectors
	@$(call generate,.)
	@$(BIN)/python tests/protocol/vectors.py

.PHONY: proto-check
proto-check: $(PROTO)/.ready ## Lint the protos and compare the generated code with them
	@cd protos && ../$(PROTO)/bin/buf lint
	@rm -rf $(PROTO)/out && mkdir -p $(PROTO)/out && $(call generate,$(PROTO)/out)
	@diff -r -x __init__.py -x __pycache__ $(PROTO)/out/$(GENERATED) $(GENERATED) \
	  || { echo "the generated code is not that of protos/: run 'make proto'"; exit 1; }
	@echo "protos: lint clean, generated code in sync"

.PHONY: proto-breaking
proto-breaking: $(PROTO)/.ready ## Compare the protos with those of every release
	@BUF=$(PROTO)/bin/buf tests/compat/breaking.sh protos

.PHONY: test-floor
test-floor: $(FLOOR)/.ready ## Run the tests with the oldest supported dependencies
	@$(FLOOR)/bin/python $(PYTEST) -m "not slow" $(TESTS)

.PHONY: bench
bench: $(VENV)/.ready ## Measure every case beside raw gRPC and its peers (CASE=name for one, QUICK=1, PEERS=0)
	@$(BIN)/python -m bench $(CASE) $(if $(QUICK),--quick) $(if $(filter 0,$(PEERS)),--no-peers)

.PHONY: docs-pictures
docs-pictures: $(VENV)/.ready ## Draw the pictures of the dashboard anew, of a real run
	@$(BIN)/python docs/make_pictures.py

.PHONY: clean
clean: ## Remove all that was made: environments and caches
	rm -rf .venv .venv-floor .venv-proto .bench build examples/polyglot/node/node_modules *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define generate
$(PROTO)/bin/python -m grpc_tools.protoc -I protos --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) $(PROTOS)
endef

define make-venv
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; give it as PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is older; give it as PYTHON=..."; exit 1; }
	@echo "setting up $(1) ..."
	@$(PYTHON) -m venv $(1)
endef

$(VENV)/.ready: pyproject.toml
	$(call make-venv,$(VENV))
	@$(BIN)/pip install $(PIP_FLAGS) -e '.[dev]'
	@touch $@

$(FLOOR)/.ready: pyproject.toml tests/floor-requirements.txt
	$(call make-venv,$(FLOOR))
	@$(FLOOR)/bin/pip install $(PIP_FLAGS) -e '.[dev]' -r tests/floor-requirements.txt
	@touch $@

$(PROTO)/.ready: pyproject.toml
	$(call make-venv,$(PROTO))
	@$(PROTO)/bin/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["proto"]))' > $(PROTO)/requirements.txt
	@$(PROTO)/bin/pip install $(PIP_FLAGS) -r $(PROTO)/requirements.txt
	@touch $@
