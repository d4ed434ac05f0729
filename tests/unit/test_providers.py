"""The table of providers: it is the only place that knows them by their names, and what it says of each is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2.nodes
import pytest
from ansible_collections.berth.platform.plugins.module_utils.providers import PROVIDERS, Provider, of
from module_run import PLUGINS, plugin
from test_interfaces import JINJA, KNOWN, PROJECT, documentation, files, own_options, read, set_facts, shown, templates

TASKS = PROJECT / "playbooks" / "providers"
# What each provider does, and what of it only some do.
STEPS = {"provide", "facts", "absent"}
MORE = {
    "start": lambda known: not known.elsewhere,
    "stop": lambda known: not known.elsewhere,
    "protected": lambda known: known.protects,
    "settle": lambda known: known.settles,
}
# Files that may be there without the table's knowing.
EXTRA = {"dashboard"}
# Where a plugin means the one provider and nothing that is true of it: its own variables, or its own words.
OWN_WORDS = {
    ("modules/environment_status.py", "minikube"),
    ("plugin_utils/inventory/variables.py", "existing"),
    ("plugin_utils/project/environments.py", "existing"),
}
each_provider = pytest.mark.parametrize("name", PROVIDERS)


def is_own(path: Path, name: str) -> bool:
    """Whether a file is a provider's own, by its name or its directory's."""
    return any(name in Path(part).stem.split("_") for part in path.relative_to(PROJECT).parts)


# --- What the table says is there ------------------------------------------------------------------------------------


def test_the_providers_that_can_be_chosen_are_those_of_the_table() -> None:
    for choices in (
        KNOWN["berth_provider"]["choices"],
        own_options("cluster")["cluster_provider"]["choices"],
        own_options("artifacts")["artifacts_set"]["choices"],
    ):
        assert set(choices) - {"auto"} == set(PROVIDERS)


def test_no_provider_has_tasks_without_being_in_the_table() -> None:
    assert {path.name for path in TASKS.iterdir() if path.is_dir()} == set(PROVIDERS)


@each_provider
def test_a_provider_has_the_tasks_of_what_it_does_and_no_others(name: str) -> None:
    wanted = STEPS | {step for step, does in MORE.items() if does(PROVIDERS[name])}
    assert {path.stem for path in (TASKS / name).iterdir()} - EXTRA == wanted


@each_provider
def test_what_a_provider_needs_of_others_is_there(name: str) -> None:
    known = PROVIDERS[name]
    assert (PROJECT / "roles" / name / "meta" / "argument_specs.yml").is_file()
    assert known.registry in own_options("registry")["registry_provider"]["choices"]
    assert not known.image_import or (PROJECT / "roles/cluster/tasks" / f"images_{known.image_import}.yml").is_file()
    assert name in read(PROJECT / "roles/artifacts/vars/main.yml")["__artifacts_sets"]
    assert callable(getattr(plugin("action/preflight.py").Check, f"{name}_problems"))


@each_provider
def test_a_providers_tasks_use_its_own_artifacts(name: str) -> None:
    sets = [task["vars"]["artifacts_set"] for path in (TASKS / name).glob("*.yml") for task in read(path) if "artifacts_set" in task.get("vars", {})]
    assert sets and set(sets) == {name}


@each_provider
def test_a_provider_leaves_every_documented_fact_and_they_agree_with_the_table(name: str) -> None:
    (fact,) = [value for key, value in set_facts(read(TASKS / name / "facts.yml")) if key == "cluster_facts"]
    assert fact == f"{{{{ {name}_facts }}}}"
    (given,) = [value for path in files(f"roles/{name}/tasks/*.yml") for key, value in set_facts(read(path)) if key == f"{name}_facts"]
    (sentence,) = re.findall(r"C\(cluster_facts\) has ([^.]*)", documentation("cluster"))
    assert set(re.findall(r"C\((\w+)\)", sentence)) <= set(given)
    assert (given["provider"], given["ours"]) == (name, not PROVIDERS[name].borrowed)


@pytest.mark.parametrize("name", ["auto", "", None, "gke", ["eks"], {}])
def test_of_what_is_no_provider_nothing_particular_is_true(name: object) -> None:
    assert of(name) == Provider(registry="loopback")
    assert plugin("filter/provider.py").provider_property(name, "costs") is False


def test_a_property_that_there_is_not_is_an_error_and_not_false() -> None:
    with pytest.raises(AttributeError):
        plugin("filter/provider.py").provider_property("eks", "cost")


def test_every_property_of_the_table_is_read_and_none_is_the_same_for_all() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in [*files("roles/**/*.yml", "playbooks/**/*.yml"), *PLUGINS.rglob("*.py")])
    for name in Provider.__dataclass_fields__:
        assert f"provider_property('{name}')" in sources or f").{name}" in sources, name
        assert len({getattr(known, name) for known in PROVIDERS.values()}) > 1, name


# --- Nobody else knows a provider by its name ------------------------------------------------------------------------


def compared(template: str) -> Iterator[str]:
    """Yield the providers that a template compares something with."""
    for comparison in JINJA.parse(template).find_all(jinja2.nodes.Compare):
        yield from (const.value for const in comparison.find_all(jinja2.nodes.Const) if const.value in PROVIDERS)


@pytest.mark.parametrize(
    ("template", "providers"),
    [
        ("{{ cluster_facts.provider == 'eks' }}", ["eks"]),
        ("{{ 'x' if p in ['kubeadm', 'minikube'] else [] }}", ["kubeadm", "minikube"]),
        ("{{ not (a or 'existing' != b) }}", ["existing"]),
        ("{{ p | berth.platform.provider_property('registry') == 'ecr' }}", []),
        ("{{ {'eks': 1}[p] }}", []),
    ],
)
def test_a_comparison_with_a_providers_name_is_seen(template: str, providers: list[str]) -> None:
    assert list(compared(template)) == providers


def test_roles_and_playbooks_ask_the_table_and_not_for_a_name() -> None:
    found = [
        f"{shown(path)}: {template}"
        for path in files("roles/*/*/*.yml", "playbooks/**/*.yml")
        for template in templates(read(path))
        for name in compared(template)
        if not is_own(path, name)
    ]
    assert found == []


def named(path: Path) -> Iterator[str]:
    """Yield the providers that a plugin compares something with."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and "provider" in ast.unparse(node):
            yield from (
                const.value for const in ast.walk(node) if isinstance(const, ast.Constant) and isinstance(const.value, str) and const.value in PROVIDERS
            )


def test_plugins_ask_the_table_and_not_for_a_name() -> None:
    found = {(str(path.relative_to(PLUGINS)), name) for path in PLUGINS.rglob("*.py") for name in named(path) if not is_own(path, name)}
    assert found == OWN_WORDS
