# Retention Warehouse. `make help` lists the commands; each sets up what it needs and skips what is done.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up test test-long warehouse refresh watch status backup restore score extract map demo superset stop api model audiences alerts bench bench-dashboards docs lint requirements clean
MAKEFLAGS += --no-print-directory

export RAW_DIR WAREHOUSE_DIR SUPERSET_PORT
# unset, not empty: an empty variable would name a folder
ifndef RAW_DIR
unexport RAW_DIR
endif
ifndef WAREHOUSE_DIR
unexport WAREHOUSE_DIR
endif
ifndef SUPERSET_PORT
unexport SUPERSET_PORT
endif

ORDERS ?= 100000
SHOP ?= default
# Superset runs on Python 3.11 and 3.12
PYTHON ?= $(shell for candidate in python3.11 python3.12 python3; do \
	$$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null \
	&& echo $$candidate && break; done)

# DBT_TARGET=spark runs the models on Spark, from an environment that nobody else needs
VENV := $(if $(filter spark,$(DBT_TARGET)),.venv-spark,.venv)
PIPELINE := $(VENV)/bin/python
SUPERSET := .venv-superset/bin/python
UV := .venv-uv/bin/uv
# two test files at a time, about 7 GB; PYTEST= runs one after the other
PYTEST ?= -n 2 --no-loadscope-reorder

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(VENV)/.installed .venv-superset/.installed ## set up, demo shop if there is no raw data, build, score, publish, dashboards on http://localhost:8088
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline warehouse --if-changed
	@$(SUPERSET) superset/serve.py start

test: .venv/.installed .venv-superset/.installed .venv-bench/.installed lint ## everything that proves it works: lint, data, unit, Python, Superset and browser tests
	@.venv/bin/python -m pytest $(PYTEST) -m "not long"

test-long: .venv/.installed .venv-superset/.installed .venv-bench/.installed .venv-airflow/.installed .venv-extract/.installed ## what takes longer than a person waits: Spark, readers over refreshes, the benchmark, the company set-up, databases and APIs, containers, Airflow, an upgrade
	@.venv/bin/python -m pytest $(PYTEST) -m long

warehouse: $(VENV)/.installed ## set up, build, score, publish; no Superset
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline warehouse

refresh: $(VENV)/.installed ## take what is new in the raw folder, rebuild what it changes, score, test, publish
	@$(PIPELINE) -m pipeline refresh

watch: $(VENV)/.installed ## refresh whenever the raw folder changes, at most once a minute
	@$(PIPELINE) -m pipeline watch

status: $(VENV)/.installed ## what is published, since when, and what went wrong last
	@$(PIPELINE) -m pipeline status

backup: $(VENV)/.installed ## copy landing, published builds, campaigns and the dashboards' metadata into one file, secrets into another (TO=folder)
	@$(PIPELINE) -m pipeline backup --to "$${TO:-data/backups}"

restore: $(VENV)/.installed ## put a backup back into empty folders (FROM=file)
	@$(PIPELINE) -m pipeline restore --from "$${FROM:-}"

score: $(VENV)/.installed ## judge and fit the churn model again, score, refresh what depends on the scores, publish (HORIZONS="30 90 180 365": further windows of the forecast)
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline score $(if $(HORIZONS),--horizons $(HORIZONS))

extract: .venv-extract/.installed ## take what databases and APIs hold into the raw folder, as its sources.yml says (EXTRACT=--whole: from the beginning)
	@.venv-extract/bin/python -m extraction $(EXTRACT)

map: $(VENV)/.installed ## a dry run of shop.yml: how every column is read, and what is refused (FILE=export.csv: a first shop.yml for it)
	@$(PIPELINE) -m pipeline map $(if $(FILE),--suggest "$$FILE",--check)

demo: $(VENV)/.installed $(if $(filter postgres,$(SHAPE)),.venv-extract/.installed) ## (re)generate the demo shop into data/demo (ORDERS=100000, SHOP=default or loyal; SHAPE=transactions, shopify, woocommerce, magento or postgres)
	@$(PIPELINE) -m demo --orders $(ORDERS) --shop $(SHOP) $(if $(SHAPE),--shape $(SHAPE))
	@$(if $(filter postgres,$(SHAPE)),.venv-extract/bin/python -m extraction.demo data/demo-postgres/.tables)

superset: $(VENV)/.installed .venv-superset/.installed ## start the dashboards on the last published warehouse
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline warehouse --if-absent
	@$(SUPERSET) superset/serve.py start

audiences: $(VENV)/.installed ## dry run of audiences.yml: who, how many, and what such a number can show
	@$(PIPELINE) -m activation audiences

alerts: $(VENV)/.installed ## dry run of alerts.yml: how each figure stands, and what would be told
	@$(PIPELINE) -m pipeline alerts

stop: ## stop the dashboards
	@if [ -x $(SUPERSET) ]; then $(SUPERSET) superset/serve.py stop; else echo "  superset: not running"; fi

api: $(VENV)/.installed ## serve what is published, and the models, to programs on http://localhost:8089 (API_PORT); prints the keys once
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline warehouse --if-absent
	@$(PIPELINE) -m api

model: $(VENV)/.installed ## learn from a table with a label: TABLE=file.csv LABEL=Churn; into data/models, served by make api
	@$(PIPELINE) -m scoring.table "$${TABLE:-}" --label "$${LABEL:-}" $(MODEL)

bench: .venv/.installed .venv-bench/.installed ## measure every step, and rivals on the same work; writes docs/benchmarks.md (BENCH="--large --part rivals": ten million orders, one half of it)
	@.venv/bin/python -m benchmarks $(BENCH)

bench-dashboards: .venv/.installed .venv-superset/.installed ## time every chart and every first tab on the last published warehouse, beside plain SQL; writes docs/dashboard-timings.md
	@$(PIPELINE) -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@$(PIPELINE) -m pipeline warehouse --if-absent
	@$(SUPERSET) superset/bench.py $(BENCH)

docs: .venv/.installed ## build the dbt documentation site into target/
	@.venv/bin/python -m demo --if-absent --orders $(ORDERS) --shop $(SHOP)
	@.venv/bin/python -m pipeline warehouse --if-absent
	@.venv/bin/dbt docs generate --quiet && echo "  open target/index.html, or: .venv/bin/dbt docs serve"

lint: .venv/.installed ## who may read whom (rooms and models), ruff, mypy and sqlfluff
	@.venv/bin/lint-imports --no-cache >/dev/null || .venv/bin/lint-imports --no-cache
	@.venv/bin/python -m pytest -q -p no:cacheprovider tests/python/house
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy pipeline scoring hypotheses demo benchmarks api activation extraction tests/python
	@.venv/bin/mypy superset/*.py
	@.venv/bin/sqlfluff lint --disable-progress-bar --processes 2 models tests macros

requirements: .venv-uv/.installed ## compile requirements/*.in into hashed *.txt
	@cd requirements && for name in uv pipeline checks superset spark bench airflow extract; do \
		../$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt; done

clean: stop ## remove environments, builds and caches; your raw files and the demo shop stay
	@chmod -R u+w data/warehouse 2>/dev/null || true
	@rm -rf .venv .venv-superset .venv-spark .venv-bench .venv-airflow .venv-extract .venv-uv target logs data/warehouse data/warehouse-superset data/superset

.venv-uv/.installed: requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed; none was found on PATH. Name one with PYTHON=..." >&2; exit 1; }
	@echo "  installer: uv into .venv-uv" >&2
	@rm -rf .venv-uv && $(PYTHON) -m venv .venv-uv
	@.venv-uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.installed: requirements/checks.txt | .venv-uv/.installed
	@$(call install,.venv,requirements/checks.txt)

.venv-superset/.installed: requirements/superset.txt | .venv-uv/.installed
	@$(call install,.venv-superset,requirements/superset.txt)

.venv-spark/.installed: requirements/spark.txt | .venv-uv/.installed
	@java -version >/dev/null 2>&1 || { echo "error: Spark needs Java 17 or newer, and there is no java on PATH. On Debian: apt-get install openjdk-17-jre-headless" >&2; exit 1; }
	@$(call install,.venv-spark,requirements/spark.txt)

.venv-airflow/.installed: requirements/airflow.txt | .venv-uv/.installed
	@$(call install,.venv-airflow,requirements/airflow.txt)

.venv-extract/.installed: requirements/extract.txt | .venv-uv/.installed
	@$(call install,.venv-extract,requirements/extract.txt)

.venv-bench/.installed: requirements/bench.txt | .venv-uv/.installed
	@$(call install,.venv-bench,requirements/bench.txt)

# a fresh environment each time its lock changes: nothing lingers that is not in the file
define install
echo "  environment: $(2) into $(1)" >&2; started=$$SECONDS
rm -rf $(1) && $(UV) venv --quiet --no-python-downloads --python $$(.venv-uv/bin/python -c 'import sys; print(sys._base_executable)') $(1)
$(UV) pip install --quiet --compile-bytecode --python $(1)/bin/python --require-hashes -r $(2)
touch $(1)/.installed; echo "  environment: $(1) ready in $$((SECONDS - started)) s" >&2
endef
# one shell for each recipe. -e ends it at a command that fails, but not at the first half of `a && b`: a line for each
.ONESHELL:
