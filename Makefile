# Two commands: `make run` starts the site, `make test` runs every test; `make prove` takes longer.

PORT ?= 8000
VENV := .venv
PYTHON := $(VENV)/bin/python
# Three more workers than processors, since many tests wait for processes. In the order of tests/conftest.py.
PYTEST := $(PYTHON) -m pytest -n 5 --dist loadfile --no-loadscope-reorder
# What the engine promises, on random databases: more of them in `make prove`.
PROMISES := $(wildcard tests/engine/*promises.py tests/engine/*/*promises.py)
# Each folder by itself: pytest leaves out a folder that is within another one that it is given.
PROOFS := $(wildcard tests/prove tests/*/prove tests/*/*/prove)
# Tests start hundreds of processes. Each would compile the whole tree where this is set.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test prove lint docs screenshots audit sbom licences schema requirements

run: $(VENV)/run.stamp
	@$(PYTHON) -m site_config.port $(PORT)
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py create_demo_data --first-run
	@echo "\nThe dashboard: http://127.0.0.1:$(PORT)/scheduler-admin   (Ctrl-C stops site and consumer)\n"
	@HOUSEKEEPING_AUTOSTART=true \
		DJANGO_RUNSERVER_HIDE_WARNING=true \
		$(PYTHON) manage.py runserver --noreload 127.0.0.1:$(PORT)

test: $(VENV)/test.stamp
	@sh tests/install_services.sh
	$(if $(ARGS),,TEST_DATABASE=postgres $(PYTEST))
	$(PYTEST) $(ARGS)

# Slow proofs: storms of kills, upgrades, whole suites behind PgBouncer.
# Lighthouse runs alone, as it measures how fast a page is.
# Longer, before a release: make prove ARGS=tests/prove/test_answers.py EXAMPLES=3000 SEEDS=1,2
prove: $(VENV)/test.stamp
	@sh tests/install_services.sh prove
	$(if $(ARGS),,TRIES=8 TEST_DATABASE=postgres $(PYTHON) -m pytest -n 2 --timeout 900 $(addprefix tests/prove/,test_kills.py test_damaged_archives.py) $(PROMISES))
	$(if $(ARGS),,$(PYTHON) -m pytest --timeout 900 tests/prove/test_lighthouse.py)
	TRIES=8 $(PYTHON) -m pytest -n 2 --timeout 900 $(or $(ARGS),$(PROOFS) $(wildcard tests/consumer/test_*.py) $(PROMISES) --ignore tests/prove/test_lighthouse.py)

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

# The docs as a site, in build/docs. A warning, such as a link that leads nowhere, makes it fail.
docs: $(VENV)/test.stamp
	$(PYTHON) -m sphinx -W -n --keep-going -E -q docs build/docs

# The pictures of the docs, in docs/images, of a site with demo data.
screenshots: $(VENV)/test.stamp
	$(PYTHON) -m docs.screenshots

# Known vulnerabilities of the pinned packages. Prints NOT DONE if the index has no advisories.
audit: $(VENV)/test.stamp
	@$(PYTHON) -m tests.audit

# What the site is made of: for programs (CycloneDX, in build/sbom.cdx.json), and as a table (LICENSES.md).
sbom licences: $(VENV)/test.stamp
	@$(PYTHON) -m tests.parts $@

# Writes docs/reference/openapi.yaml: the description of the API without any setting.
schema: $(VENV)/test.stamp
	ENV_FILE=/dev/null HOUSEKEEPING_TEST_SCHEDULE=false $(PYTHON) manage.py spectacular --fail-on-warn --validate --file docs/reference/openapi.yaml

# Pins requirements*.txt to the newest versions that requirements*.in allow, with the hashes of their files.
requirements: $(VENV)/test.stamp
	$(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header requirements.in -o requirements.txt
	$(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --no-header requirements-dev.in -o requirements-dev.txt

$(VENV)/run.stamp: requirements.txt
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@echo "Installing what the site needs …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@echo "Installing what the tests need …"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
