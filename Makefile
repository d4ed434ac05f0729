.DEFAULT_GOAL := help
.PHONY: help dev new test lint types unit integration scenario down lock bootstrap
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: bootstrap ## From a bare machine to the polls app on Kubernetes; says where it answers
	ansible-playbook site.yml -i inventories/dev

new: bootstrap ## An inventory for a project: make new SOURCE=../shop ENV=shop-dev
	ansible-playbook playbooks/new.yml -e source=$(SOURCE) -e env=$(ENV)

test: bootstrap ## Lint, unit and integration tests, every Molecule scenario on a real cluster, the pages in a browser
	scripts/test

lint: bootstrap ## What test looks for in the text alone: ruff, yamllint, types, ansible-lint
	ruff check .
	ruff format --check .
	yamllint --strict .
	$(MAKE) --no-print-directory types
	ansible-lint --offline

types: bootstrap ## The types of what is in plugins/, by mypy
	@mkdir -p .cache/types/ansible_collections/berth && ln -sfn ../../../.. .cache/types/ansible_collections/berth/platform
	mypy

# With bytecode: without it each process that a test starts compiles the collection.
unit integration: pytest = env -u PYTHONDONTWRITEBYTECODE python -m pytest -q -n auto --dist loadfile

unit: bootstrap ## The unit tests: decisions, in a minute
	$(pytest) tests/unit

integration: bootstrap ## What runs Ansible, buildah, PostgreSQL and other programs on this machine, without a cluster
	$(pytest) tests/integration

scenario: bootstrap ## One Molecule scenario, S=app for instance
	@[ -f "molecule/$(S)/molecule.yml" ] || { echo "make scenario: set S to one of: $(notdir $(patsubst %/,%,$(dir $(wildcard molecule/*/molecule.yml))))." >&2; exit 2; }
	molecule test --scenario-name "$(S)"

down: bootstrap ## Remove what dev made; keeps the database's volume unless PURGE=yes
	ansible-playbook playbooks/destroy.yml -i inventories/dev -e berth_confirm=dev $(if $(filter yes,$(PURGE)),-e berth_purge=true)

lock: export UV_SYSTEM_CERTS ?= true
lock: bootstrap ## Turn each requirements.in into its requirements.txt
	for at in . playbooks/ops/files/loadtest; do \
	    uv pip compile --quiet --no-header --universal --python-version 3.12 --generate-hashes --upgrade "$$at/requirements.in" -o "$$at/requirements.txt" || exit 1; \
	done

bootstrap:
	@scripts/bootstrap
