"""What roles promise each other and the user: variables, entry points, facts, collections."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import json
import re
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import jinja2
import jinja2.nodes
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible_collections.berth.platform.plugins.module_utils.aws import session
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parents[2]
PROVIDERS = PROJECT / "playbooks" / "providers"
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if path.is_dir())
PLUGINS = "ansible_collections.berth.platform.plugins"
# Keys of a task or a playbook whose values are Jinja expressions without braces.
EXPRESSIONS = ("when", "that", "until", "changed_when", "failed_when")

loader = SourceFileLoader("variables", str(PROJECT / "scripts" / "variables"))
variables = importlib.util.module_from_spec(importlib.util.spec_from_loader("variables", loader))
loader.exec_module(variables)
KNOWN = variables.options()


class Loader(yaml.CSafeLoader):
    """Reads Ansible's YAML; an encrypted value is a string."""


Loader.add_constructor("!vault", lambda loader, node: node.value)


class Environment(jinja2.Environment):
    """Parses Ansible's templates without having its filters and tests."""

    def __init__(self) -> None:
        super().__init__(extensions=["jinja2.ext.do"])


JINJA = Environment()


@functools.cache
def read(path: Path) -> Any:
    """Return a YAML file's content, an empty mapping for a file that is not there; nobody changes it."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=Loader) or {} if path.exists() else {}


def templates(value: Any, expression: bool = False) -> Iterator[str]:
    """Yield each template within plain data; an ``expression`` gets the braces that it is written without."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from templates(inner, expression=key in EXPRESSIONS)
    elif isinstance(value, list):
        for inner in value:
            yield from templates(inner, expression)
    elif isinstance(value, str) and ("{{" in value or "{%" in value):
        yield value
    elif isinstance(value, str) and expression:
        yield "{{ " + value + " }}"


def names(template: str) -> set[str]:
    """Return the variables that a template reads."""
    return {node.name for node in JINJA.parse(template).find_all(jinja2.nodes.Name) if node.ctx == "load"}


def read_variables(path: Path) -> set[str]:
    """Return the variables that a file reads: a YAML file's templates and expressions, or the template that it is."""
    if path.suffix == ".j2":
        return names(path.read_text(encoding="utf-8"))
    return set().union(*map(names, templates(read(path))))


def files(*patterns: str) -> list[Path]:
    """Return the project's files that match one of ``patterns``."""
    return sorted(path for pattern in patterns for path in PROJECT.glob(pattern) if path.is_file())


def shown(path: Path) -> str:
    """Return a path relative to the project."""
    return str(path.relative_to(PROJECT))


def specification(role: str) -> dict[str, Any]:
    """Return the entry points of a role."""
    return read(PROJECT / "roles" / role / "meta" / "argument_specs.yml").get("argument_specs", {})


def own_options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of all entry points of a role, without the inventory's variables that preflight documents."""
    entries = specification(role).values()
    return {name: option for entry in entries for name, option in entry.get("options", {}).items() if not name.startswith("berth_")}


class Asked(Exception):
    """The arguments that a module takes."""


def arguments(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a module, or the action plugin that works for it, takes."""
    if (PROJECT / "plugins" / "action" / f"{name}.py").exists() and name != "artifacts":  # whose module takes the same
        return importlib.import_module(f"{PLUGINS}.action.{name}").ARGUMENTS
    module = importlib.import_module(f"{PLUGINS}.modules.{name}")

    def ask(*given: Any, **named: Any) -> None:
        raise Asked(given[0] if given else named["argument_spec"])

    for holder in (module, session):
        for each in ("AnsibleModule", "AnsibleAWSModule"):
            monkeypatch.setattr(holder, each, ask, raising=False)
    with pytest.raises(Asked) as asked:
        module.main()
    return asked.value.args[0]


def comparable(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a documentation or of a module, as both write them."""
    found = {}
    for name, option in options.items():
        kept = {"type": option.get("type", "str")} | {key: option[key] for key in ("required", "default", "elements") if option.get(key) not in (None, False)}
        below = option.get("options") or option.get("suboptions")
        found[name] = kept | ({"options": comparable(below)} if below else {})
    return found


@pytest.mark.parametrize("name", sorted(path.stem for path in (PROJECT / "plugins" / "modules").glob("[a-z]*.py")))
def test_a_modules_documentation_has_the_arguments_that_it_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documented = yaml.safe_load(importlib.import_module(f"{PLUGINS}.modules.{name}").DOCUMENTATION)
    taken = comparable(arguments(name, monkeypatch))
    if "amazon.aws.tags" in documented.get("extends_documentation_fragment", []):
        del taken["tags"], taken["purge_tags"]
    assert comparable(documented.get("options") or {}) == taken


def test_no_file_has_a_key_twice_of_which_ansible_would_warn_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by an alias whose keys are replaced."""
    monkeypatch.setenv("ANSIBLE_DUPLICATE_YAML_DICT_KEY", "error")
    for path in files("*.yml", "playbooks/**/*.yml", "roles/**/*.yml", "molecule/**/*.yml"):
        DataLoader().load_from_file(str(path), cache="none")


# --- Roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_are_what_its_argument_specs_document(role: str) -> None:
    assert set(read(PROJECT / "roles" / role / "defaults" / "main.yml")) == set(own_options(role))


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_of_a_role_carries_its_name(role: str) -> None:
    given = {**read(PROJECT / "roles" / role / "defaults/main.yml"), **read(PROJECT / "roles" / role / "vars/main.yml")}
    assert [name for name in given if not re.match(rf"(__)?{role}_", name)] == []


@pytest.mark.parametrize("role", ROLES)
def test_a_default_of_a_role_has_all_that_is_required_of_it(role: str) -> None:
    for entry, spec in specification(role).items():
        optional = {name: option for name, option in spec.get("options", {}).items() if not option.get("required")}
        assert ArgumentSpecValidator(optional).validate({}).error_messages == [], entry


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_says_what_it_is(role: str) -> None:
    assert specification(role), f"roles/{role}/meta/argument_specs.yml has no entry point"
    for entry in specification(role).values():
        assert entry["short_description"]
    assert [name for name, option in own_options(role).items() if not (option.get("description") and option.get("type"))] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_of_a_role_has_its_tasks(role: str) -> None:
    tasks = PROJECT / "roles" / role / "tasks"
    assert [entry for entry in specification(role) if not (tasks / f"{entry}.yml").is_file()] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_choice_of_a_provider_has_its_tasks(role: str) -> None:
    for name, option in own_options(role).items():
        if name.endswith("_provider"):
            assert option["choices"], f"{name} has no choices"
            for choice in option["choices"]:
                tasks = PROVIDERS / choice / "provide.yml" if role == "cluster" else PROJECT / "roles" / role / "tasks" / f"{choice}.yml"
                assert tasks.is_file(), f"{name}: {choice}"


def test_a_provider_that_the_inventory_may_choose_is_one_of_its_role() -> None:
    for variable, role in (
        ("berth_provider", "cluster"),
        ("berth_database", "database"),
        ("berth_registry", "registry"),
        ("berth_entry", "entry"),
    ):
        choices = set(KNOWN[variable]["choices"]) - {"auto"}
        assert choices == set(own_options(role)[f"{role}_provider"]["choices"]), variable


def test_no_task_has_a_default_of_its_own() -> None:
    found = [
        f"{shown(path)}: {template}"
        for path in files("roles/*/tasks/*.yml")
        for template in templates(read(path))
        if any(node.name in ("default", "d") for node in JINJA.parse(template).find_all(jinja2.nodes.Filter))
    ]
    assert found == []


def cluster_calls(tasks: Any) -> Iterator[tuple[str, Any]]:
    """Yield module and arguments of each task of kubernetes.core, those within plays and blocks included."""
    for task in tasks if isinstance(tasks, list) else []:
        yield from ((name, arguments) for name, arguments in task.items() if name.startswith("kubernetes.core."))
        for part in ("tasks", "block", "rescue", "always"):
            yield from cluster_calls(task.get(part))


def test_whoever_waits_for_the_cluster_looks_every_second_and_not_every_five() -> None:
    """Five are the modules' own (wait_sleep): https://docs.ansible.com/ansible/latest/collections/kubernetes/core/k8s_module.html."""
    paths = [path for pattern in ("roles/*/tasks/*.yml", "playbooks/**/*.yml", "molecule/**/*.yml") for path in files(pattern)]
    waiting = [(shown(path), arguments) for path in paths for _, arguments in cluster_calls(read(path)) if (arguments or {}).get("wait", False) is not False]
    assert waiting
    assert [path for path, arguments in waiting if arguments.get("wait_sleep") != 1] == []


# --- Facts -----------------------------------------------------------------------------------------------------------


def set_facts(tasks: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each fact that tasks set, those within blocks included."""
    for task in tasks or []:
        yield from task.get("ansible.builtin.set_fact", {}).items()
        for part in ("block", "rescue", "always"):
            yield from set_facts(task.get(part))


def facts_files(path: Path) -> Iterator[Path]:
    """Yield a task file and those that it includes; a provider in a name stands for every one."""
    yield path
    for included in re.findall(r"(?:include|import)_tasks: ['\"]?(.+\.yml)", path.read_text(encoding="utf-8")):
        for inner in sorted(path.parent.glob(re.sub(r"{{.*?}}", "*", included))):
            if inner != path:
                yield from facts_files(inner)


def facts(role: str) -> dict[str, set[str]]:
    """Return the facts that ``tasks_from: facts`` leaves, each with its keys; those of the cluster are left by each provider's tasks."""
    paths = files("playbooks/providers/*/facts.yml") if role == "cluster" else files(f"roles/{role}/tasks/facts.yml")
    found = [fact for path in paths for file in facts_files(path) for fact in set_facts(read(file))]
    return {name: fact_keys(value) for name, value in found}


def fact_keys(value: Any) -> set[str]:
    """Return the keys of a fact; one that is another role's fact, like ``{{ kubeadm_facts }}``, has that one's keys."""
    if isinstance(value, dict):
        return set(value)
    other = re.fullmatch(r"{{ (\w+)_facts }}", str(value))
    return facts(other[1]).get(f"{other[1]}_facts", set()) if other else set()


def documentation(role: str) -> str:
    """Return all words of a role's entry points."""
    return " ".join(
        " ".join([entry["short_description"], *([text] if isinstance(text := entry.get("description", []), str) else text)])
        for entry in specification(role).values()
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_documents_facts_sets_them_in_its_facts_tasks(role: str) -> None:
    documented = set(re.findall(rf"C\(({role}_facts)\)", documentation(role)))
    left = {name for name in facts(role) if name == f"{role}_facts"}
    assert documented == left


@pytest.mark.parametrize("role", ROLES)
def test_every_documented_key_of_a_fact_is_set(role: str) -> None:
    sentences = re.findall(rf"C\({role}_facts\),? (?:has|with) ([^.]*)", documentation(role))
    documented = {key for sentence in sentences for key in re.findall(r"C\((\w+)\)", sentence)}
    assert documented <= facts(role).get(f"{role}_facts", set())


def test_every_fact_that_is_read_is_left_by_its_role() -> None:
    left = {name: keys for role in ROLES for name, keys in facts(role).items()}
    missing = set()
    for path in files("roles/*/*/*.yml", "roles/*/templates/*", "playbooks/**/*.yml", "molecule/**/*.yml"):
        for name, key in re.findall(r"\b([a-z]+_facts)\.(?!yml)(\w+)", path.read_text(encoding="utf-8")):
            if key not in left.get(name, set()):
                missing.add(f"{shown(path)}: {name}.{key}")
    assert missing == set()


# --- The inventory's variables ---------------------------------------------------------------------------------------


def test_the_inventorys_variables_are_read_in_defaults_only() -> None:
    found = [
        f"{shown(path)}: {name}"
        for path in files("roles/*/*/*.yml", "roles/*/templates/*.j2")
        if path.parent.name != "defaults" and path.parts[-3] != "preflight"
        for name in sorted(read_variables(path))
        if name.startswith("berth_")
    ]
    assert found == []


def test_the_list_of_variables_holds_those_that_are_used_and_no_others() -> None:
    paths = files("roles/*/defaults/*.yml", "playbooks/**/*.yml", "inventories/**/*.yml", "site.yml")
    used = {name for path in paths for name in {*read_variables(path), *keys(read(path))} if name.startswith("berth_")}
    assert used == set(KNOWN)


def keys(value: Any) -> Iterator[str]:
    """Yield every key within plain data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def defaults_of(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each ``berth_*`` that a file reads, with its default: ``...`` for none, ``None`` when it is worked out."""
    for template in templates(read(path)):
        tree = JINJA.parse(template)
        filtered = {}
        for node in tree.find_all(jinja2.nodes.Filter):
            if node.name == "default" and isinstance(node.node, jinja2.nodes.Name):
                try:
                    filtered[node.node.name] = node.args[0].as_const()
                except jinja2.nodes.Impossible:
                    filtered[node.node.name] = None
        for name in names(template):
            if name.startswith("berth_"):
                yield name, filtered.get(name, ...)


def test_documented_defaults_are_those_of_the_roles() -> None:
    for path in files("roles/*/defaults/main.yml"):
        if path.parts[-3] == "preflight":
            continue
        for name, value in defaults_of(path):
            option = KNOWN[name]
            if value is ...:
                assert option.get("required"), f"{shown(path)} needs {name}, which has no default"
            elif value is not None:
                assert option.get("default") == value, f"{shown(path)}: {name}"
            else:
                assert not option.get("required"), f"{shown(path)}: {name}"


def test_the_readmes_table_is_the_list_of_variables() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = readme.partition(variables.BEGIN)[2].partition(variables.END)[0].strip()
    assert found == variables.table(), "run scripts/variables --write"


# --- Collections -----------------------------------------------------------------------------------------------------


def test_the_collections_that_are_used_are_required_and_no_others() -> None:
    used = set()
    for path in files("roles/*/tasks/*.yml", "playbooks/**/*.yml", "molecule/**/*.yml"):
        text = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"^[- ]*([a-z]+\.[a-z]+)\.\w+:", text, re.MULTILINE)) - {"ansible.builtin", "berth.platform"}
    required = {item["name"]: item["version"] for item in read(PROJECT / "requirements.yml")["collections"]}
    assert used == required.keys()
    assert required == read(PROJECT / "galaxy.yml")["dependencies"]


def test_the_required_collections_are_the_installed_ones() -> None:
    for item in read(PROJECT / "requirements.yml")["collections"]:
        manifest = Path(importlib.import_module(f"ansible_collections.{item['name']}").__path__[0], "MANIFEST.json")
        installed = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
        assert installed in SpecifierSet(item["version"]), f"{item['name']} {installed}"


# --- Documentation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", files("plugins/modules/*.py"), ids=lambda path: path.stem)
def test_every_module_has_documentation_that_can_be_read(path: Path) -> None:
    blocks = {
        node.targets[0].id: yaml.safe_load(node.value.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    assert set(blocks) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    assert blocks["DOCUMENTATION"]["module"] == path.stem
    assert all("description" in value for value in blocks["RETURN"].values())


def test_the_defaults_that_playbooks_write_are_the_documented_ones() -> None:
    written = {(shown(path), name): value for path in files("playbooks/**/*.yml") for name, value in defaults_of(path)}
    documented = {each: KNOWN[each[1]]["default"] for each, value in written.items() if isinstance(value, str) and value and "default" in KNOWN[each[1]]}
    assert documented  # else nothing was looked at
    assert {each: written[each] for each in documented} == documented
