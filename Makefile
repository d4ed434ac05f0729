.DEFAULT_GOAL := help
.PHONY: help dev new test lint types unit integration scenario down lock bootstrap
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: bootstrap ## Bring up the polls app on Kubernetes, from a bare machine, and print its URL
	ansible-playbook site.yml -i inventories/dev

new: bootstrap ## Write an inventory for a project: make new SOURCE=../shop ENV=shop-dev
	ansible-playbook playbooks/new.yml -e source=$(SOURCE) -e env=$(ENV)

test: bootstrap ## Run everything: lint, unit and integration tests, all Molecule scenarios on a real cluster, browser tests
	scripts/test

lint: bootstrap ## Run the static checks: ruff, yamllint, mypy, ansible-lint
	ruff check .
	ruff format --check .
	yamllint --strict .
	$(MAKE) --no-print-directory types
	ansible-lint --offline

types: bootstrap ## Check the types in plugins/ with mypy
	@mkdir -p .cache/types/ansible_collections/berth && ln -sfn ../../../.. .cache/types/ansible_collections/berth/platform
	mypy

# With bytecode: otherwise each process that a test starts compiles the collection.
unit integration: pytest = env -u PYTHONDONTWRITEBYTECODE python -m pytest -q -n auto --dist loadfile

unit: bootstrap ## Run the unit tests, in about a minute
	$(pytest) tests/unit

integration: bootstrap ## Run the integration tests, which use Ansible, buildah, PostgreSQL and others on this machine, but no cluster
	$(pytest) tests/integration

scenario: bootstrap ## Run one Molecule scenario, for example S=app
	@[ -f "molecule/$(S)/molecule.yml" ] || { echo "make scenario: set S to one of: $(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml))))." >&2; exit 2; }
	molecule test --scenario-name "$(S)"

down: bootstrap ## Remove what dev created, but keep the volumes unless PURGE=yes
	ansible-playbook playbooks/destroy.yml -i inventories/dev -e berth_confirm=dev $(if $(filter yes,$(PURGE)),-e berth_purge=true)

lock: export UV_SYSTEM_CERTS ?= true
lock: bootstrap ## Compile each requirements.in into its requirements.txt
	for at in . playbooks/ops/files/loadtest; do \
	    uv pip compile --quiet --no-header --universal --python-version 3.12 --generate-hashes --upgrade "$$at/requirements.in" -o "$$at/requirements.txt" || exit 1; \
	done

bootstrap:
	@scripts/bootstrap
