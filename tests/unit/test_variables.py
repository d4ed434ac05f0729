"""What can be wrong with an inventory's variables, by tables of what people write."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.berth.platform.plugins.module_utils import formats
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import variables
from ansible_collections.berth.platform.plugins.plugin_utils.inventory.locate import Inventory
from role_options import options

PROJECT = Path(__file__).resolve().parents[2]
OPTIONS = options("preflight") | options("minikube")


def wrong_types(project: Path, text: str, name: str = "group_vars/all/main.yml") -> list[str]:
    """Return the problems with the types of an inventory's file, each as ``name: text``."""
    path = project / "inv" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    given = {"ansible_inventory_sources": [str(path if name.endswith(".ini") else project / "inv")], "inventory_hostname": "dev", "groups": {"all": ["dev"]}}
    inventory = Inventory.of(given, loader, project)
    values = {"berth_eks_version": 1.3} if name.endswith(".ini") else loader.load(text)
    return [f"{problem.name}: {problem.text}" for problem in variables.types(values, OPTIONS, inventory.scalar)]


# --- YAML that is no string -------------------------------------------------------------------------------------------
NUMBER, BOOLEAN, DATE = "is a number", "is a boolean", "is a date"
SCALARS = [
    ("0123", NUMBER), ("0x1F", NUMBER), ("0b11", NUMBER), ("1.30", NUMBER), ("1_000", NUMBER), ("12:30:45", NUMBER), ("12:30", NUMBER), ("+1", NUMBER),
    ("-0", NUMBER), (".5", NUMBER), ("1.0e+3", NUMBER), (".inf", NUMBER), ("-.INF", NUMBER), (".NaN", NUMBER), ("8675309", NUMBER),
    ("yes", BOOLEAN), ("No", BOOLEAN), ("ON", BOOLEAN), ("off", BOOLEAN), ("true", BOOLEAN), ("FALSE", BOOLEAN),
    ("2024-01-01", DATE), ("2024-01-01T10:00:00Z", DATE), ("2024-1-1 10:00:00.5 +2", DATE),
    ("null", "is empty"), ("~", "is empty"), ("NULL", "is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), SCALARS)
@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("berth_app_settings: {{PIN: {}}}", "berth_app_settings.PIN"),
        ("berth_app_settings:\n  OTHER: x\n  PIN: {} # why", "berth_app_settings.PIN"),
        ("berth_eks_version: {}", "berth_eks_version"),
        ("berth_app_dockerfile: {}", "berth_app_dockerfile"),
        ("berth_app_hosts: [a, {}]", "berth_app_hosts[1]"),
        ("berth_app_schedules:\n  - name: a\n    schedule: {}\n    command: b", "berth_app_schedules[0].schedule"),
        ("berth_eks_access:\n  - principal: a\n    groups:\n      - {}", "berth_eks_access[0].groups[0]"),
        ("berth_aws_tags: {{cost: {}}}", "berth_aws_tags.cost"),
        ("berth_eks_addons: {{coredns: {}}}", "berth_eks_addons.coredns"),
        ("minikube_kubernetes_version: {}", "minikube_kubernetes_version"),
        ("minikube_addons: [{}]", "minikube_addons[0]"),
        ("x: &pin {}\nberth_app_settings: {{PIN: *pin}}", "berth_app_settings.PIN"),
        ("x: &all {{PIN: {}}}\nberth_app_settings:\n  <<: *all", "berth_app_settings.PIN"),
        ("berth_app_settings: {{PIN: a, PIN: {}}}", "berth_app_settings.PIN"),
    ],
)
def test_what_yaml_took_for_something_else_is_quoted_as_the_file_has_it(tmp_path: Path, text: str, kind: str, line: str, name: str) -> None:
    found = wrong_types(tmp_path, line.format(text) + "\n")
    assert f'{name}: must be a {"path" if "dockerfile" in name else "string"}, but {kind} ({text}); write it in quotes: "{text}"' in found
    # Followed to the letter, it is what was meant.
    assert wrong_types(tmp_path, line.format(f'"{text}"') + "\n") == []


@pytest.mark.parametrize(("text", "kind"), SCALARS)
def test_of_a_secret_nothing_is_quoted(tmp_path: Path, text: str, kind: str) -> None:
    advice = "" if kind == "is empty" else "; write it in quotes"
    assert wrong_types(tmp_path, f"berth_app_secrets: {{KEY: {text}}}\n") == [f"berth_app_secrets.KEY: must be a string, but {kind}{advice}"]
    assert wrong_types(tmp_path, f"berth_database_password: {text}\n") == [f"berth_database_password: must be a string, but {kind}{advice}"]


@pytest.mark.parametrize(("text", "kind"), SCALARS)
def test_the_name_of_a_setting_is_a_text_too(tmp_path: Path, text: str, kind: str) -> None:
    for variable in ("berth_app_settings", "berth_app_secrets", "berth_aws_tags", "berth_quota"):
        found = wrong_types(tmp_path, f'{variable}: {{A: "1", {text}: "2"}}\n')
        assert found == [f'{variable}.{text}: the name must be a string, but {kind} ({text}); write it in quotes: "{text}"']


@pytest.mark.parametrize("text", ["1e3", "0o17", "089", "1.2.3", "y", "n", "1,000", "v1", "0777x", "'0123'", '"yes"', "!!str 5", "!unsafe 'a'", "|\n  5"])
def test_what_yaml_takes_for_text_is_a_string(tmp_path: Path, text: str) -> None:
    assert wrong_types(tmp_path, f"berth_eks_version: {text}\n") == []


@pytest.mark.parametrize("text", ["0123", "'0123'", '"yes"'])
def test_quotes_do_not_help_beside_the_tag_that_keeps_templates_away(tmp_path: Path, text: str) -> None:
    (found,) = wrong_types(tmp_path, f"berth_app_settings: {{PIN: !unsafe {text}}}\n")
    assert f'write it without !unsafe, in quotes: "{text.strip(chr(34) + chr(39))}"' in found


def test_a_value_that_is_not_there_is_written_as_an_empty_string(tmp_path: Path) -> None:
    found = wrong_types(tmp_path, "berth_app_settings:\n  EMPTY:\n  NEXT: x\n")
    assert found == ['berth_app_settings.EMPTY: must be a string, but is empty; write "" for an empty one']


def test_binary_data_and_collections_are_no_strings(tmp_path: Path) -> None:
    found = wrong_types(tmp_path, "berth_app_settings: {A: !!binary aGVsbG8=, B: [1], C: {d: 1}}\n")
    assert [text.partition(", but ")[2] for text in found] == ["is binary data", "is a list", "is a mapping"]


@pytest.mark.parametrize(
    ("value", "template", "told"),
    [
        (83, False, "is a number; write it in quotes"),
        (83, True, "is a number; end its template with | string"),
        (True, True, "is a boolean; end its template with | string"),
        (None, True, "is empty"),
        (None, False, "is empty"),
    ],
)
def test_of_a_value_that_was_worked_out_no_other_is_advised(value: Any, template: bool, told: str) -> None:
    for name in ("berth_app_settings", "berth_aws_tags"):
        (found,) = variables.types({name: {"A": value}}, OPTIONS, lambda path, value, is_key: variables.Scalar(template=template))
        assert found.text == f"must be a string, but {told}"


def test_a_number_of_the_file_is_not_taken_for_one_that_came_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("berth: {hosts: {dev: {berth_eks_version: 1.30}}}\n", encoding="utf-8")
    inventory = Inventory.of({"ansible_inventory_sources": [str(tmp_path)], "inventory_hostname": "dev"}, DataLoader(), tmp_path)
    assert inventory.scalar(("berth_eks_version",), 1.3).text == "1.30"
    assert inventory.scalar(("berth_eks_version",), 1.4).text is None
    assert inventory.scalar(("berth_eks_version",), True).text is None


def test_an_inventory_in_ini_format_cannot_quote_so_another_file_is_named(tmp_path: Path) -> None:
    (found,) = wrong_types(tmp_path, "[berth]\ndev berth_eks_version=1.30 ansible_connection=local\n", "hosts.ini")
    advice = 'write it into inv/group_vars/all/main.yml in quotes: "1.30"'
    assert found == f"berth_eks_version: must be a string, but is a number (1.30); {advice}"


@pytest.mark.parametrize(
    ("line", "name", "text", "taken"),
    [
        ("berth_app_port: {}", "berth_app_port", "0100", "64"),
        ("berth_app_replicas: {}", "berth_app_replicas", "1:30", "90"),
        ("berth_app_autoscaling: {{max: {}}}", "berth_app_autoscaling.max", "0x10", "16"),
        ("berth_app_resources: {{limits: {{memory: {}}}}}", "berth_app_resources.limits.memory", "0100", "64"),
        ("berth_quota: {{pods: {}}}", "berth_quota.pods", "010", "8"),
        ("berth_quota: {{pods: {}}}", "berth_quota.pods", ".inf", "inf"),
        ("minikube_memory: {}", "minikube_memory", "010000", "4096"),
    ],
)
def test_a_number_that_yaml_reads_in_another_base_is_told_with_both(tmp_path: Path, line: str, name: str, text: str, taken: str) -> None:
    (found,) = wrong_types(tmp_path, line.format(text))
    assert found == f"{name}: is {text}, which YAML reads as {taken}; write it in decimal, without leading zeros"


@pytest.mark.parametrize("text", ["1", "0", "1.5", "1_000", "1.0e+3", "'010'", "-3"])
def test_a_decimal_number_is_taken(tmp_path: Path, text: str) -> None:
    assert wrong_types(tmp_path, f"berth_quota: {{pods: {text}}}\n") == []


@pytest.mark.parametrize("line", ["berth_app_user: {}", "berth_app_port: {}", "berth_app_autoscaling: {{min: 1, max: {}, cpu: 70}}"])
@pytest.mark.parametrize("text", ["1000.0", "1e3", ""])
def test_a_text_with_a_fraction_or_an_exponent_is_no_whole_number(tmp_path: Path, line: str, text: str) -> None:
    (found,) = wrong_types(tmp_path, line.format(f'"{text}"') + "\n")
    assert found.endswith(f"must be a whole number, but is a string ('{text}')")
    assert wrong_types(tmp_path, line.format('"1000"') + "\n") == []


def test_one_of_a_few_choices_is_named_with_them_all(tmp_path: Path) -> None:
    assert wrong_types(tmp_path, "berth_entry: no\n") == ["berth_entry: must be one of: none, loadbalancer, but is a boolean (no)"]


# --- Names that PostgreSQL has for itself -----------------------------------------------------------------------------
EVERYWHERE = ("cluster", "rds", "external")
MADE_BY_BERTH = ("cluster", "rds")
TAKEN = [
    ("public", "user", EVERYWHERE), ("none", "user", EVERYWHERE), ("pg_polls", "user", EVERYWHERE), ("pg_monitor", "user", EVERYWHERE),
    ("current_user", "user", EVERYWHERE), ("current_role", "user", EVERYWHERE), ("session_user", "user", EVERYWHERE),
    ("postgres", "user", MADE_BY_BERTH), ("postgres", "name", MADE_BY_BERTH), ("template0", "name", EVERYWHERE), ("template1", "name", EVERYWHERE),
    ("berth", "user", ("rds",)), ("rdsadmin", "user", ("rds",)), ("rdsadmin", "name", ("rds",)), ("rds_superuser", "user", ("rds",)),
    ("rds_iam", "user", ("rds",)), ("rdsrepladmin", "user", ("rds",)), ("rdsproxyadmin", "user", ("rds",)), ("rdstopmgr", "user", ("rds",)),
]  # fmt: skip
# PostgreSQL 15 made a role and a database of each of these, with the statements that Berth sends.
FREE = ["polls", "user", "order", "select", "table", "group", "all", "replication", "sameuser", "default", "null", "system_user", "pg", "_x", "berth_2", "rdsx"]


def names_told(**given: str) -> list[str]:
    """Return what is said of the database's names."""
    return [f"{problem.name}: {problem.text}" for problem in variables.database_names(given, "berth")]


@pytest.mark.parametrize(("name", "kind", "providers"), TAKEN)
@pytest.mark.parametrize("provider", EVERYWHERE)
def test_a_name_that_is_postgresqls_own_is_refused_with_one_that_is_free(name: str, kind: str, providers: tuple[str, ...], provider: str) -> None:
    """A database and a user that somebody else has made may be called as they are, such as postgres."""
    rest = {"berth_app_name": "polls", "berth_database": provider}
    found = names_told(**rest, **{f"berth_database_{kind}": name})
    if provider not in providers:
        assert found == []
        return
    (text,) = found
    assert text.startswith(f"berth_database_{kind}: is {name!r}, which ")
    assert names_told(**rest, **{f"berth_database_{kind}": text.rpartition("such as ")[2]}) == []


@pytest.mark.parametrize(("name", "kind", "providers"), TAKEN)
def test_the_name_that_an_app_gives_its_database_is_refused_as_well(name: str, kind: str, providers: tuple[str, ...]) -> None:
    told = names_told(berth_app_name=name.replace("_", "-"), berth_database=providers[0])
    assert any(text.startswith(f"berth_database_{kind}: is not set, so it is {name!r} like berth_app_name, which ") for text in told)


@pytest.mark.parametrize("provider", EVERYWHERE)
@pytest.mark.parametrize("name", FREE)
def test_a_keyword_is_a_name_like_any_other(name: str, provider: str) -> None:
    assert names_told(berth_app_name="polls", berth_database=provider, berth_database_user=name, berth_database_name=name) == []


# --- What an environment can hold -------------------------------------------------------------------------------------
def told(settings: Any = None, secrets: Any = None) -> list[str]:
    """Return what is said of the app's environment."""
    return [f"{problem.name}: {problem.text}" for problem in variables.environment(settings or {}, secrets or {})]


LONGEST = formats.VARIABLE_SIZE - len("BIG=\0")


TOO_LONG = [("x" * (LONGEST + 1), "131,073"), ("x" * 140_000, "140,005"), ("ä" * (LONGEST // 2 + 1), "131,073"), ("🚀" * 40_000, "160,005")]


@pytest.mark.parametrize(("value", "size"), TOO_LONG, ids=lambda value: value[:9])
def test_a_value_that_the_kernel_does_not_take_is_refused_by_its_size_in_bytes(value: str, size: str) -> None:
    for given in (told({"BIG": value}), told(None, {"BIG": value})):
        (text,) = given
        assert f"BIG: has {size} bytes with its name, but the kernel accepts at most 131,072" in text
        assert value[:20] not in text


def test_the_longest_value_that_is_taken_is_the_kernels() -> None:
    value = "x" * LONGEST
    assert told({"BIG": value}) == []
    subprocess.run(["/bin/true"], env={"BIG": value}, check=True)
    if os.sysconf("SC_PAGE_SIZE") == 4096:
        with pytest.raises(OSError, match="Argument list too long"):
            subprocess.run(["/bin/true"], env={"BIG": f"{value}x"}, check=True)


@pytest.mark.parametrize(("variable", "kind"), [("settings", "ConfigMap"), ("secrets", "Secret")])
def test_more_than_an_object_holds_is_refused_with_what_is_longest(variable: str, kind: str) -> None:
    values = {f"PART_{number}": "x" * 120_000 for number in range(8)} | {"LONGER": "y" * 120_001}
    (text,) = told(**{variable: values})
    assert f"berth_app_{variable}: has 1,080,001 bytes, and a {kind} holds at most 1,048,576; the longest is LONGER" in text
    assert told(**{variable: {f"PART_{number}": "x" * 120_000 for number in range(8)}}) == []


def test_more_than_a_process_is_started_with_is_refused_though_each_object_holds_its_part() -> None:
    values = {f"{{}}_{number}": "x" * 115_000 for number in range(9)}
    (text,) = told(*({key.format(kind): value for key, value in values.items()} for kind in ("SETTING", "SECRET")))
    assert text.startswith("berth_app_settings: has 2,070,") and "with berth_app_secrets, and the kernel allows at most 2,064,384 for a process" in text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"berth_app_hosts_env": {"2HOSTS": ","}}, "no digit first"),
        ({"berth_app_hosts_env": {"HOSTS": ""}}, 'HOSTS has no separator, such as ","'),
        ({"berth_app_hosts_env": {"HOSTS": ["a"]}}, "HOSTS has no separator"),
        ({"berth_app_hosts_env": {"DJANGO_SECURE": ","}}, "Berth sets DJANGO_SECURE to something else"),
        ({"berth_app_hosts_env": {"REDIS_URL": ","}, "berth_cache": "cluster"}, "Berth sets REDIS_URL to something else"),
        ({"berth_app_hosts_env": {"HOSTS": ","}, "berth_app_settings": {"HOSTS": "a"}}, "HOSTS is also in berth_app_settings; keep one of the two"),
    ],
)
def test_a_variable_for_the_names_of_the_site_is_one_that_nothing_else_sets(given: dict[str, Any], text: str) -> None:
    (problem,) = variables.values(given)
    assert problem.path[0] == "berth_app_hosts_env" and text in problem.text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"berth_app_hosts": [f"host-{number}.example.org" for number in range(7000)]}, "in DJANGO_ALLOWED_HOSTS it has 1"),
        ({"berth_app_release_commands": [f"load {'x' * 131_072}"]}, "has an argument of more than 131,071 bytes"),
        ({"berth_database_password": "x" * 131_072}, "has 131,091 bytes with its name"),
    ],
)
def test_what_berth_itself_puts_into_an_environment_or_a_command_is_bounded_too(given: dict[str, Any], text: str) -> None:
    assert [text in problem.text for problem in variables.values(given)] == [True]


@pytest.mark.parametrize("name", ["A" * 254, "1A", "A-B", "A.B", "A B", "", "Ä", "A\n"])
def test_a_name_that_no_environment_has_is_refused(name: str) -> None:
    assert len(told({name: "x"})) == 1
    assert told({"A" * 253: "x"}) == []


# --- What was not meant to be part of a secret ------------------------------------------------------------------------
KEY = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"
MARGINS = [
    ("hunter2\n", "ends with a newline"), ("hunter2\r\n", "ends with a newline"), ("hunter2\r", "ends with a carriage return"),
    ("hunter2 ", "ends with a space"), ("hunter2\t", "ends with a tab"), ("hunter2\u00a0", "ends with white space"), (" hunter2", "begins with a space"),
    ("\nhunter2", "begins with a newline"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), MARGINS)
def test_a_newline_or_space_around_a_secret_is_told_and_the_secret_is_not(value: str, text: str) -> None:
    found = told(None, {"TOKEN": value})
    for name in ("berth_database_password", "berth_registry_password", "berth_registry_username"):
        found += [problem.text for problem in variables.values({name: value, "berth_registry_password": value})]
    assert len(found) >= 4
    assert all(text in problem and "hunter2" not in problem for problem in found)


@pytest.mark.parametrize("value", ["hunter2", "two words", KEY, KEY.rstrip(), "a\nb", f"\n{KEY}"])
def test_a_secret_of_several_lines_may_end_as_files_do(value: str) -> None:
    assert told(None, {"KEY": value}) == []


def test_a_secret_with_a_nul_would_be_cut_off() -> None:
    (text,) = told(None, {"TOKEN": "hunter\0x"})
    assert "NUL character" in text and "hunter" not in text


@pytest.mark.parametrize(("source", "refused"), [({}, True), ({"berth_app_source": "../shop"}, True), ({"berth_app_source": "git@x.example:shop"}, False)])
def test_a_version_is_one_of_a_repository(source: dict[str, str], refused: bool) -> None:
    found = variables.values({"berth_app_ref": "main", **source})
    assert [problem.name for problem in found] == (["berth_app_ref"] if refused else [])


def test_a_colon_in_the_name_of_who_logs_in_is_refused() -> None:
    (problem,) = variables.values({"berth_registry_username": "robot:x", "berth_registry_password": "y"})
    assert "has a ':'" in problem.text


# --- Processes --------------------------------------------------------------------------------------------------------
def of_processes(**given: Any) -> list[str]:
    """Return what is said of ``berth_app_processes``, each as ``name: text``."""
    values = {"berth_app_name": "polls", "berth_app_schedules": [{"name": "nightly", "schedule": "@daily", "command": "report"}], "berth_app_processes": given}
    found = variables.types(values, OPTIONS)
    return [f"{problem.name}: {problem.text}" for problem in found or variables.values(values)]


RUNS = ["celery", "-A", "shop"]


@pytest.mark.parametrize(
    "process",
    [
        {"command": RUNS},
        {"command": RUNS, "replicas": "2", "grace_seconds": 600, "resources": {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}},
        {"command": RUNS, "singleton": True, "grace_seconds": 1},
        {"command": RUNS, "singleton": "false", "replicas": 3},
    ],
)
def test_a_process_is_what_it_runs_and_what_differs(process: dict[str, Any]) -> None:
    assert of_processes(worker=process, **{"other-2": process}) == []


@pytest.mark.parametrize(
    ("process", "text"),
    [
        ({}, "command: is missing"),
        ({"replicas": 2}, "command: is missing"),
        ({"command": []}, "command: is empty; set it to the command to run"),
        ({"command": "celery -A shop"}, "command: must be a list, but is a string ('celery -A shop')"),
        ({"command": ["celery -A shop"]}, "command[0]: 'celery -A shop' has a space in it"),
        ({"command": [*RUNS, 2]}, "command[3]: must be a string, but is a number"),
        ({"command": RUNS, "replica": 2}, "replica: unknown key, did you mean replicas?"),
        ({"command": RUNS, "replicas": 0}, "replicas: 0 is too few: at least 1 is needed; remove the process"),
        ({"command": RUNS, "replicas": 1, "singleton": True}, "replicas: does not go with singleton: true"),
        ({"command": RUNS, "replicas": "2", "singleton": "yes"}, "replicas: does not go with singleton: true"),
        ({"command": RUNS, "singleton": "perhaps"}, "singleton: must be true or false"),
        ({"command": RUNS, "grace_seconds": 0}, "grace_seconds: 0 is too few seconds"),
        ({"command": RUNS, "resources": {"limits": {"memory": "lots"}}}, "resources.limits.memory: 'lots' is not a quantity"),
        ({"command": RUNS, "resources": {"request": {}}}, "resources.request: unknown key, did you mean requests?"),
        ({"command": RUNS, "resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}, "resources.requests.cpu: 2 is above the limit of 1"),
    ],
)
def test_what_is_wrong_with_a_process_is_told_with_its_key(process: dict[str, Any], text: str) -> None:
    (said,) = of_processes(worker=process)
    assert said.startswith(f"berth_app_processes.worker.{text}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, "is Berth's name for another part of the app") for name in ("web", "release", "migrate", "schedule", "database", "command")),
        ("nightly", "is also a schedule in berth_app_schedules"),
        ("Worker", "has illegal characters"),
        ("worker_2", "has illegal characters"),
        ("-worker", "has illegal characters"),
        ("", "is empty"),
        ("w" * 47, "has 47 characters, at most 46 are allowed"),
    ],
)
def test_a_process_has_a_name_that_objects_can_have_and_nothing_else_has(name: str, text: str) -> None:
    (said,) = of_processes(**{name: {"command": RUNS}})
    assert said.startswith(f"berth_app_processes.{name}: ") and text in said


@pytest.mark.parametrize("value", [None, "celery", ["celery"], 2])
def test_a_process_that_is_no_mapping_is_refused(value: Any) -> None:
    (said,) = of_processes(worker=value)
    assert said.startswith("berth_app_processes.worker: must be a mapping, but is ")


# --- What was meant ---------------------------------------------------------------------------------------------------
BERTHS = [name for name in OPTIONS if name.startswith("berth_")]
# A misspelling, another ending, joined words, and words left out.
MEANT = {
    "berth_app_replica": "berth_app_replicas", "berth_replicas": "berth_app_replicas", "berth_app_replicsa": "berth_app_replicas",
    "berth_provder": "berth_provider", "berth_namepsace": "berth_namespace", "berth_namespaces": "berth_namespace", "berth_quotas": "berth_quota",
    "berth_app_setting": "berth_app_settings", "berth_settings": "berth_app_settings", "berth_secrets": "berth_app_secrets",
    "berth_app_host": "berth_app_hosts", "berth_hosts": "berth_app_hosts", "berth_entry_hosts": "berth_entry_host",
    "berth_kube_config": "berth_kubeconfig", "berth_app_nodeport": "berth_app_node_port", "berth_node_port": "berth_app_node_port",
    "berth_rds_multiaz": "berth_rds_multi_az", "berth_database_storageclass": "berth_database_storage_class", "berth_app_source_": "berth_app_source",
    "berth_registry_user": "berth_registry_username", "berth_database_username": "berth_database_user", "berth_registry_pass": "berth_registry_password",
    "berth_db_name": "berth_database_name", "berth_db_password": "berth_database_password", "berth_databse_host": "berth_database_host",
    "berth_app_resource": "berth_app_resources", "berth_app_sources": "berth_app_source", "berth_app_autoscale": "berth_app_autoscaling",
    "berth_release_commands": "berth_app_release_commands", "berth_app_schedule": "berth_app_schedules", "berth_app_liveness": "berth_app_liveness_path",
    "berth_delete_protection": "berth_deletion_protection", "berth_secret_directory": "berth_secrets_directory", "berth_aws_tag": "berth_aws_tags",
    "berth_eks_versions": "berth_eks_version", "berth_eks_public_acess": "berth_eks_public_access", "berth_budget": "berth_budget_monthly",
    "bert_namespace": "berth_namespace", "breth_app_port": "berth_app_port", "berth_user": "berth_app_user",
}  # fmt: skip
# Much like a variable in their letters, and of another meaning; or like several.
OF_THEIR_OWN = [
    "berth_app_secret_key", "berth_aws_secret_key", "berth_app_secrets_file", "berth_registry_password_file", "berth_app_image", "berth_image",
    "berth_app_env", "berth_app_environment", "berth_app_domain", "berth_entry_domain", "berth_entry_port", "berth_app_memory", "berth_app_cpu",
    "berth_app_limits", "berth_app_password", "berth_app_namespace", "berth_app_storage", "berth_app_registry",
    "berth_database_url", "berth_database_size", "berth_database_version", "berth_database_memory", "berth_database_resources", "berth_database_replicas",
    "berth_registry_token", "berth_registry_url", "berth_registry_name", "berth_rds_password", "berth_rds_user", "berth_rds_name", "berth_rds_port",
    "berth_rds_network", "berth_rds_engine", "berth_eks_zones", "berth_eks_tags", "berth_eks_name", "berth_aws_profile", "berth_aws_subnets",
    "berth_host", "berth_password", "berth_storage", "berth_networks", "berth_account", "berth_x", "berth_",
]  # fmt: skip


@pytest.mark.parametrize(("name", "known"), MEANT.items())
def test_a_variable_that_was_surely_meant_is_named(name: str, known: str) -> None:
    (problem,) = variables.unknown([name], BERTHS)
    assert problem.text == f"unknown variable, did you mean {known}?"


@pytest.mark.parametrize("name", OF_THEIR_OWN)
def test_a_variable_of_another_meaning_is_never_advised(name: str) -> None:
    (problem,) = variables.unknown([name], BERTHS)
    assert problem.text == "unknown variable"


@pytest.mark.parametrize(("value", "advice"), [("kubeadmin", ", did you mean kubeadm?"), ("k3s", ""), ("aks", ""), ("gke", ""), ("kind", ""), ("docker", "")])
def test_another_provider_is_never_advised(value: str, advice: str) -> None:
    (problem,) = variables.types({"berth_provider": value}, OPTIONS)
    assert problem.text == f"{value!r} is not one of: auto, minikube, kubeadm, existing, eks{advice}"


@pytest.mark.parametrize(
    ("name", "text"), [("debug", ""), ("secret-key", ""), ("secret_key", "is not a finding, did you mean secret-key?"), ("x", "is not a finding")]
)
def test_only_findings_that_there_are_can_be_left_out(name: str, text: str) -> None:
    found = variables.values({"berth_app_checks_ignore": [name]})
    assert [problem.text for problem in found] == ([f"{name!r} {text}"] if text else [])
