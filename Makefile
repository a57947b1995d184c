# Needs Python 3.11 or newer, make, and a package index. Everything else is installed into .venv.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
CATALOGUES := referralhub/translations
INSTALL = VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes --requirement

.PHONY: run example test test-deep bench audit screenshots lint format translations lock sbom advisories help
.DEFAULT_GOAL := help

run: .venv/run ## Set everything up and start it: http://127.0.0.1:8000 (HOST= and PORT= change that)
	@exec env HOST=$(HOST) PORT=$(PORT) REFERRALHUB_ENV=$${REFERRALHUB_ENV:-development} $(BIN)/python -m referralhub.launch --stop-with-parent

example: .venv/run ## ReferralHub and a shop that is connected with it: http://127.0.0.1:8000 and 8001 (HOST= and PORT= change that; the shop takes PORT+1)
	@exec env HOST=$(HOST) PORT=$(PORT) $(BIN)/python -m examples.start --stop-with-parent

# As many as there are cores; a third is no quicker.
test: .venv/dev ## Every test: unit, functional on both databases, real browser
	@$(BIN)/python tests/chromium.py
	@$(BIN)/pytest -n 2 --dist loadgroup

test-deep: .venv/dev ## The slow proofs: a fresh clone, clean starts and stops, two copies side by side
	@$(BIN)/python tests/chromium.py
	@$(BIN)/pytest -m deep -v

bench: .venv/bench ## Measure it beside a Django peer: 20 minutes; QUICK=1 and ROUTES=click,dashboard for less
	@$(BIN)/python -m bench $(if $(QUICK),--quick) $(if $(ROUTES),--routes "$(ROUTES)")

audit: .venv/dev .venv/audit ## Lighthouse, axe, the Nu HTML checker and the scales, on every page: 10 minutes; exit 1 on a finding
	@$(BIN)/python tests/chromium.py
	@$(BIN)/python -m audit $(if $(ONLY),--only "$(ONLY)")

screenshots: .venv/dev ## Every page at three widths, light and dark: screenshots/index.html
	@$(BIN)/python tests/chromium.py
	@$(BIN)/python -m audit.screenshots $(if $(README),--readme)

lint: .venv/dev ## Formatter, linter, type checker; linters of templates, Dockerfile and compose file
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/djlint --quiet --check --lint referralhub/templates examples/shop/templates
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yml

format: .venv/dev ## Put the code into the form that lint expects
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	-@$(BIN)/djlint --quiet --reformat referralhub/templates examples/shop/templates

translations: .venv/dev ## Bring the catalogues of texts up to date with the code, and compile them
	@cd referralhub && ../$(BIN)/pybabel -q extract -F translations/babel.cfg -k N_ -k _l -k Plural:2,3 \
		--no-location --no-wrap --sort-output -o translations/messages.pot .
	@$(BIN)/pybabel -q update -i $(CATALOGUES)/messages.pot -d $(CATALOGUES) \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap
	@$(BIN)/pybabel -q compile -d $(CATALOGUES)

lock: .venv/uv ## Pin the newest versions that fit pyproject.toml, with hashes
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --custom-compile-command "make lock" \
		pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --custom-compile-command "make lock" \
		--group dev --all-extras -c requirements.txt pyproject.toml -o requirements-dev.txt
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --custom-compile-command "make lock" \
		--group bench -c requirements.txt -c requirements-dev.txt pyproject.toml -o requirements-bench.txt
	@$(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --custom-compile-command "make lock" \
		--group audit -o requirements-audit.txt

sbom: .venv/uv ## What the program is made of: sbom.json (CycloneDX)
	@$(BIN)/uvx --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file sbom.json

advisories: .venv/uv ## Whether known advisories concern what is pinned: exit 1 if so, 3 where that cannot be found out
	@$(PYTHON) deploy/advisories.py $(BIN)/uvx --quiet --from pip-audit==2.10.1 pip-audit

help: ## This list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.venv/uv:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("ReferralHub needs Python 3.11 or newer")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@touch $@

.venv/run: requirements.txt | .venv/uv
	@echo "Installing what is needed to run …"
	@$(INSTALL) requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt | .venv/uv
	@echo "Installing what is needed to develop …"
	@$(INSTALL) requirements-dev.txt
	@touch $@ .venv/run

.venv/bench: requirements-bench.txt | .venv/uv
	@echo "Installing what is needed to measure …"
	@$(INSTALL) requirements-bench.txt
	@touch $@ .venv/run

.venv/audit: requirements-audit.txt audit/package-lock.json | .venv/dev
	@echo "Installing what is needed to look at pages: Node, Java, Lighthouse and the Nu HTML checker …"
	@$(INSTALL) requirements-audit.txt
	@$(BIN)/python -m audit.tools
	@touch $@
