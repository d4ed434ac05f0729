"""Bad input ends before anything is changed, with a message that names the variable and the file; good input passes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ansible_fork
import pytest
import yaml
from role_options import options

PROJECT = Path(__file__).resolve().parents[2]
INVENTORIES = PROJECT / "tests" / "inventories"
INVALID = sorted(path.name for path in (INVENTORIES / "invalid").iterdir())
# In a user namespace of its own a process keeps its files and is no longer root (user_namespaces(7)).
COMMANDS = {
    "not-root": ["unshare", "--user"],
    # The machine is part of other networks there.
    "network-taken": [
        "unshare",
        "--net",
        "sh",
        "-ec",
        """
        add() { ip link add "$1" type bridge; ip address add "$2" dev "$1"; ip link set "$1" up; }
        add tun0 10.244.7.1/24; add vpn0 10.96.0.9/12; add lan0 10.245.0.9/24; exec "$@"
    """,
        "sh",
    ],
}


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    """Return a port that is taken, and could be a node port."""
    for port in range(32767, 30000, -1):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            listener.listen()
            yield port
            return


@pytest.fixture
def run(tmp_path: Path, taken_port: int):
    """Return a function that runs a playbook with an inventory and further arguments."""
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "BERTH_TEST_PORT": str(taken_port),
        "XDG_CACHE_HOME": str(tmp_path),  # without artifacts
    }

    def run(playbook: str, inventory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["ansible-playbook", playbook, "-i", str(inventory), *arguments]
        if elsewhere := COMMANDS.get(inventory.name):
            return subprocess.run(
                [*elsewhere, *command],
                cwd=PROJECT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
                check=False,
            )
        return ansible_fork.run(command, cwd=PROJECT, env=environment, stderr=subprocess.STDOUT, timeout=60)

    return run


def said(output: str) -> list[str]:
    """Return the problems of the one error in a run's output, without their number."""
    # What ends before a task, such as a vault without its password, Ansible tells itself.
    error = r"^(?:\[ERROR\]: |fatal: \[\w+\]: FAILED!\n)(?:Task failed: Action failed: )?(.*?)(?=\nOrigin: |\n\n|\Z)"
    errors = re.findall(error, output, re.DOTALL | re.MULTILINE)
    assert len(errors) == 1, output
    lines = [line.strip() for line in errors[0].strip().splitlines()]
    if (heading := re.fullmatch(r"(\d+) problems?, and nothing was changed:", lines[0])) is None:
        return lines
    assert int(heading[1]) == len(lines) - 1
    return lines[1:]


def pattern(line: str) -> str:
    """Return a line of expected.txt as a regular expression: ``...`` stands for what depends on the machine."""
    return ".*".join(map(re.escape, line.split("...")))


def documented() -> set[str]:
    """Return the names of the variables that an inventory may set."""
    return {name for name in options("preflight") if name.startswith("berth_")}


def listing(*directories: Path) -> set[Path]:
    """Return everything that is beneath ``directories``."""
    return {path for directory in directories for path in directory.rglob("*")}


@pytest.mark.parametrize("case", INVALID)
def test_bad_input_ends_with_its_message_before_anything_is_changed(case: str, run) -> None:
    inventory = INVENTORIES / "invalid" / case
    before = listing(inventory, PROJECT / ".cache" / "invalid")

    # In check mode, so that a check that fails to refuse costs no cluster.
    done = run("site.yml", inventory, "--check")

    expected = (inventory / "expected.txt").read_text(encoding="utf-8").splitlines()
    problems = said(done.stdout)
    assert len(problems) == len(expected) and all(map(re.fullmatch, map(pattern, expected), problems)), "\n".join(problems)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert set(re.findall(r"^TASK \[(.*?)\]", done.stdout, re.MULTILINE)) <= {
        "Refuse an inventory without an environment",
        "preflight : Look at the inventory and this machine",
    }
    assert sum(map(int, re.findall(r"\bok=(\d+)", done.stdout))) <= 1  # the first of them
    assert listing(inventory, PROJECT / ".cache" / "invalid") == before


def test_every_invalid_inventory_has_its_expected_message() -> None:
    for case in INVALID:
        assert (INVENTORIES / "invalid" / case / "expected.txt").read_text(encoding="utf-8").strip(), case


def test_a_mistyped_inventory_is_refused_rather_than_skipped(run) -> None:
    done = run("site.yml", INVENTORIES / "nowhere", "--check")
    assert done.returncode != 0
    assert "has no host in the group berth" in said(done.stdout)[0]


def test_an_inventory_that_sets_every_variable_passes(run) -> None:
    inventory = INVENTORIES / "valid"
    assert set(yaml.safe_load((inventory / "group_vars/all.yml").read_text(encoding="utf-8"))) == documented()

    done = run("playbooks/preflight.yml", inventory)

    assert done.returncode == 0, done.stdout
    assert re.search(r"provider kubeadm \(set in tests/inventories/valid/group_vars/all.yml:\d+\)", done.stdout)


@pytest.mark.parametrize("environment", ["dev", "molecule"])
def test_the_inventories_that_berth_ships_pass_and_no_secret_is_made_up(environment: str, run) -> None:
    inventory = PROJECT / "inventories" / environment
    secrets = PROJECT / ".cache" / environment / "secrets"
    before = listing(secrets)
    done = run("playbooks/preflight.yml", inventory)
    assert done.returncode == 0, done.stdout
    # The second, where make test runs beside a dev environment.
    assert re.search(r"provider kubeadm \(auto: (this machine is a |the environment lives there already)", done.stdout)
    assert listing(secrets) == before


def test_prods_secrets_are_read_from_the_vault_that_its_inventory_and_the_message_name(run, tmp_path: Path) -> None:
    """The message's command is run to the letter, but for an editor that types by itself and a password from a file."""
    inventory = tmp_path / "prod"
    shutil.copytree(PROJECT / "inventories" / "prod", inventory)
    here = ["berth_provider=kubeadm", "berth_entry=none", "berth_database=cluster", "berth_registry=loopback", f"berth_app_source={PROJECT}"]
    arguments = [word for setting in here for word in ("-e", setting)]
    missing = said(run("playbooks/preflight.yml", inventory, *arguments).stdout)
    assert len(missing) == 2
    (command,) = {re.search(r"define it with: (ansible-vault create \S+)", problem)[1] for problem in missing}
    assert command.replace(str(inventory), "inventories/prod") in (inventory / "group_vars/all/main.yml").read_text(encoding="utf-8")

    (tmp_path / "typed").write_text("vault_django_secret_key: one\nvault_database_password: two\n", encoding="utf-8")
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    unlock = ["--vault-password-file", str(tmp_path / "password")]
    editor = os.environ | {"EDITOR": f"cp {tmp_path / 'typed'}"}
    subprocess.run([*command.split(), "--skip-tty-check", *unlock], env=editor, check=True, capture_output=True)

    done = run("playbooks/preflight.yml", inventory, *arguments, *unlock)
    assert done.returncode == 0, done.stdout


def test_braces_reach_the_app_as_they_are_from_what_is_no_template(run, tmp_path: Path) -> None:
    """Where the message's advice was followed; and from files and encrypted values, which need none."""
    values = ["a{#b", "a{{b", "a{%b", "a{{b}}c", "a{# b #}c", "{{ 7 * 7 }}", "x}}y"]
    inventory = tmp_path / "dev"
    shutil.copytree(PROJECT / "inventories" / "dev", inventory)
    (tmp_path / "password").write_text("open sesame\n", encoding="utf-8")
    unlock = ["--vault-password-file", str(tmp_path / "password")]
    lines = ["berth_app_secrets:"]
    for number, value in enumerate(values):
        (tmp_path / str(number)).write_text(value, encoding="utf-8")
        lines += [f"  UNSAFE_{number}: !unsafe '{value}'", f"  FILE_{number}: \"{{{{ lookup('ansible.builtin.file', '{tmp_path}/{number}') }}}}\""]
    encrypt = ["ansible-vault", "encrypt_string", *unlock, "--name", "VAULT", values[0]]
    lines += [f"  {line}" for line in subprocess.run(encrypt, capture_output=True, text=True, check=True).stdout.splitlines()]
    (inventory / "host_vars").mkdir()
    (inventory / "host_vars/dev.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    done = run("playbooks/preflight.yml", inventory, "-e", f"berth_app_source={PROJECT}", *unlock)
    assert done.returncode == 0, done.stdout

    write = {"ansible.builtin.copy": {"content": "{{ berth_app_secrets | to_json }}", "dest": str(tmp_path / "found"), "mode": "0600"}}
    play = [{"hosts": "berth", "gather_facts": False, "tasks": [write]}]
    (tmp_path / "write.yml").write_text(json.dumps(play), encoding="utf-8")
    assert run(str(tmp_path / "write.yml"), inventory, *unlock).returncode == 0
    found = json.loads((tmp_path / "found").read_text(encoding="utf-8"))
    assert found == {f"{kind}_{number}": value for number, value in enumerate(values) for kind in ("UNSAFE", "FILE")} | {"VAULT": values[0]}


def test_a_repository_is_fetched_before_its_files_are_looked_at(run, tmp_path: Path) -> None:
    inventory, source = tmp_path / "dev", tmp_path / "shop.git"
    shutil.copytree(PROJECT / "inventories" / "dev", inventory)
    somebody = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
    source.mkdir()
    (source / "Dockerfile").write_text("FROM python\nCMD x\n", encoding="utf-8")
    for words in (["init", "--quiet"], ["add", "."], [*somebody, "commit", "--quiet", "--message=x"]):
        subprocess.run(["git", "-C", source, *words], check=True)
    given = ["-e", f"berth_app_source=file://{source}"]
    (absent,) = said(run("playbooks/preflight.yml", inventory, "--check", *given, "-e", "berth_app_ref=v9").stdout)
    assert re.match(r"berth_app_ref: file://\S+ has no branch or tag v9; git ls-remote \S+ lists them \(-e\)", absent)
    (root,) = said(run("playbooks/preflight.yml", inventory, "--check", *given).stdout)
    assert re.match(r"berth_app_user: is not set, and the image of \S+/berth/sources/[0-9a-f]{16}/shop/Dockerfile runs as root", root)


def test_what_is_built_is_what_was_looked_at_though_the_branch_moves_in_between(run, tmp_path: Path) -> None:
    inventory, source = tmp_path / "dev", tmp_path / "shop.git"
    shutil.copytree(PROJECT / "inventories" / "dev", inventory)
    source.mkdir()
    (source / "Dockerfile").write_text("FROM python\nUSER 1000\nCMD x\n", encoding="utf-8")
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=x"]):
        subprocess.run([*git, *words], check=True)
    move = {"ansible.builtin.command": {"argv": [*git, "commit", "--quiet", "--allow-empty", "--message=y"]}}
    build = {"ansible.builtin.include_role": {"name": "image", "tasks_from": "dockerfile"}}
    artifacts = {"refs": {"python": "python"}, "source": "download"}
    play = {"hosts": "berth", "gather_facts": False, "tasks": [move, build], "vars": {"artifacts_facts": artifacts}}
    whole = [{"ansible.builtin.import_playbook": str(PROJECT / "playbooks/preflight.yml")}, play]
    (tmp_path / "site.yml").write_text(json.dumps(whole), encoding="utf-8")
    looked_at = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    done = run(str(tmp_path / "site.yml"), inventory, "-e", f"berth_app_source=file://{source}")
    assert done.returncode == 0, done.stdout
    [built] = (tmp_path / "berth/sources").glob("*/shop")
    assert subprocess.run(["git", "-C", built, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout == looked_at


def test_a_file_that_was_put_away_beside_the_variables_is_a_warning(run, tmp_path: Path) -> None:
    inventory = tmp_path / "dev"
    shutil.copytree(PROJECT / "inventories" / "dev", inventory)
    (inventory / "group_vars/all.yml.bak").write_text("berth_app_replicas: 3\n", encoding="utf-8")
    done = run("playbooks/preflight.yml", inventory, "-e", f"berth_app_source={PROJECT}")
    assert done.returncode == 0, done.stdout
    assert f"[WARNING]: {inventory}/group_vars/all.yml.bak: Ansible does not read it" in done.stdout


@pytest.mark.parametrize(
    ("application", "static", "warned"),
    [("site_wsgi:application", {}, True), ("served:application", {}, False), ("site_wsgi:application", {"path": "/srv/static", "url": "/static/"}, False)],
)
def test_a_command_that_bypasses_what_serves_static_files_is_a_warning(run, tmp_path: Path, application: str, static: dict[str, str], warned: bool) -> None:
    inventory = tmp_path / "inventory"
    shutil.copytree(INVENTORIES / "invalid/packages-illegal", inventory)
    (inventory / "expected.txt").unlink()
    with (inventory / "settings.py").open("a", encoding="utf-8") as settings:
        settings.write('WSGI_APPLICATION = "site_wsgi.application"\n')
    (inventory / "site_wsgi.py").touch()
    path = inventory / "group_vars/all.yml"
    values = yaml.safe_load(path.read_text(encoding="utf-8")) | {"berth_app_packages": [], "berth_app_static": static}
    path.write_text(yaml.safe_dump(values | {"berth_app_command": ["gunicorn", application]}), encoding="utf-8")
    done = run("playbooks/preflight.yml", inventory)
    assert done.returncode == 0, done.stdout
    words = " ".join(done.stdout.split())
    assert ("berth_app_command: nothing may serve the static files to visitors" in words and "Write served:application instead" in words) is warned


def test_a_variable_of_the_command_line_is_said_to_come_from_there(run) -> None:
    done = run("playbooks/preflight.yml", INVENTORIES / "valid", "-e", "berth_app_replicas=none")
    assert said(done.stdout) == ["berth_app_replicas: must be a whole number, but is a string ('none') (-e)"]


def test_no_value_of_a_secret_is_printed(run) -> None:
    secrets = '{"berth_app_secrets": {"A": ["hunter2"], "B": 8675309}, "berth_database_password": {"x": "correct-horse"}}'
    done = run("playbooks/preflight.yml", INVENTORIES / "valid", "-e", secrets, "-vvv")
    printed = done.stdout.replace(secrets, "")
    assert len(said(printed)) == 3
    assert not re.search(r"hunter2|8675309|correct-horse", printed)


def test_a_provider_of_a_wrong_type_is_the_only_problem(run) -> None:
    done = run("playbooks/preflight.yml", INVENTORIES / "valid", "-e", '{"berth_provider": ["kubeadm"]}')
    assert [problem.split(":")[0] for problem in said(done.stdout)] == ["berth_provider"]


@pytest.mark.parametrize("junk", [None, [None], {"": []}, -1.5, ""], ids=repr)
def test_no_value_whatever_ends_in_a_traceback(junk: object, run) -> None:
    given = {name: junk for name in documented()}
    done = run("playbooks/preflight.yml", INVENTORIES / "valid", "-e", json.dumps(given))
    problems = said(done.stdout)
    assert "Traceback" not in done.stdout and "Unexpected" not in done.stdout
    assert {"berth_provider", "berth_namespace", "berth_app_replicas"} <= {problem.split(":")[0] for problem in problems}
    assert all(problem.endswith(" (-e)") for problem in problems)


def test_no_provider_waits_for_a_client_that_preflight_does_not_ask() -> None:
    """Loading one takes a third of a second to a second. Only AWS needs its own, in a process of its own; the cluster is asked by later plays."""
    imported = "from ansible_collections.berth.platform.plugins.action import preflight"
    code = f"import sys; {imported}; print(sorted({{'boto3', 'botocore', 'kubernetes'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- Advice that is followed to the letter -----------------------------------
def replaced(old: str, new: str):
    """Return what replaces the first ``old`` of a line by ``new``; ``{0}`` and the like are groups of the advice."""
    return lambda line, found: re.sub(old.format(*map(re.escape, found.groups())), lambda _: new.format(*found.groups()), line, count=1)


# What a message says, and how whoever does exactly that edits the line that the message names.
EDITS = (
    (r"^(\w+): unknown variable, did you mean (\w+)\?", replaced("^{0}", "{1}")),
    (r"\.(\w+): unknown key, did you mean (\w+)\?", replaced(r"\b{0}\b", "{1}")),
    (r"is not one of: .*, did you mean (\w+)\?", replaced(r": .*$", ": {0}")),
    (r'write it in quotes: ("[^"]*")', replaced(r": .*$", ": {0}")),
    (r"write !unsafe before it, as in (\w+): !unsafe", replaced("{0}: '", "{0}: !unsafe '")),
    (r"set it to another name, such as (\w+)", replaced(r": .*$", ": {0}")),
    (r"write it like ([\d.]+/\d+)", replaced(r": .*$", ": ['{0}']")),
    (r"write it without scheme, port and path, like ([\w.]+)", replaced(r": .*$", ": ['{0}']")),
    (r"it begins with '/', like (\S+)", replaced(r": .*$", ": {0}")),
    (r"stop that, or choose another port", replaced(r": .*$", ": 30999")),
    (r"choose a namespace for the app alone, such as (\S+)", replaced(r": .*$", ": {0}")),
    (r"or 0 to let Kubernetes choose", replaced(r": .*$", ": 0")),
)
FOLLOWED = (
    "unknown-variable",
    "unknown-provider",
    "settings-not-strings",
    "template-in-value",
    "database-name-taken",
    "network-illegal",
    "host-name-illegal",
    "path-illegal",
    "node-port-taken",
    "namespace-system",
    "node-port-out-of-range",
    "variables-for-no-group",
    "variables-hidden-by-directory",
    "quota-too-small",
)


def follow(message: str, inventory: Path) -> bool:
    """Do what a message says to an inventory; return whether it says what can be done."""
    shown = f"tests/inventories/invalid/{inventory.name}"
    if moves := re.findall(r"move (\S+) to (\S+?)(?:,|$)|then move it to (\S+)", message):
        source = re.match(r"(\S+): Ansible does not read it", message)
        for old, new, then in moves:
            place = Path(str(inventory.parent / inventory.name), (new or then).removeprefix(f"{shown}/"))
            place.parent.mkdir(exist_ok=True)
            origin = source[1] if then or old == "it" else old
            inventory.joinpath(origin.removeprefix(f"{shown}/")).rename(place)
        return True
    pods = r"berth_quota\.(pods): \d+ is too little: .* need (\d+); raise it"
    if limit := re.search(r"set ([\w.]+): (\S+) in berth_quota", message) or re.search(pods, message):
        path = inventory / "group_vars" / "all.yml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        values["berth_quota"][limit[1]] = limit[2]
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return True
    if alone := re.search(r"^berth_quota\.(\S+): .*; remove it", message):
        path = inventory / "group_vars" / "all.yml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        del values["berth_quota"][alone[1]]
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return True
    place = re.findall(rf"\({shown}/([\w./-]+?)(?::(\d+))?\)", message)
    for advice, edited in EDITS:
        if (found := re.search(advice, message)) and place:
            # The value itself may be in another variable, which the message names first.
            file, number = place[0]
            path = inventory / file
            lines = path.read_text(encoding="utf-8").splitlines()
            if not number:  # it is to be set there
                lines.append(f"{message.partition(':')[0]}: nothing")
            at = int(number or len(lines)) - 1
            changed = edited(lines[at], found)
            assert changed != lines[at], f"{message}\n{lines[at]}"
            path.write_text("\n".join([*lines[:at], changed, *lines[at + 1 :]]) + "\n", encoding="utf-8")
            return True
    return False


@pytest.mark.parametrize("case", FOLLOWED)
def test_advice_that_is_followed_to_the_letter_mends_the_fault(case: str, run, tmp_path: Path) -> None:
    inventory = tmp_path / case
    shutil.copytree(INVENTORIES / "invalid" / case, inventory)
    expected = (inventory / "expected.txt").read_text(encoding="utf-8").splitlines()
    mended = [message.partition(":")[0] for message in expected if follow(message, inventory)]
    assert mended
    (inventory / "expected.txt").unlink()
    done = run("playbooks/preflight.yml", inventory)
    left = said(done.stdout) if done.returncode else []
    assert [line for line in left if line.partition(":")[0] in mended] == [], done.stdout
