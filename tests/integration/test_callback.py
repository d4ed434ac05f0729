"""One run of an environment at a time, and signs of life: small playbooks, run for real."""

from __future__ import annotations

import configparser
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ansible_fork
import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.berth.platform.plugins.plugin_utils import run_lock
from module_run import PLUGINS, plugin

callback = plugin("callback/run_lock.py")
ENABLED = ("run_lock", "no_proxy", "warm_up", "progress")
PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Take a while
      ansible.builtin.command:
        argv: [{python}, {script}]
"""


def project(directory: Path, **less: float) -> Path:
    """Make a project with nothing but the callbacks, of which progress has ``less`` patience than as it is shipped, and return its directory.

    Where the locks of the machine lie, the environment variable MACHINE_LOCKS says.
    """
    plugins = directory / "ansible_collections/berth/platform/plugins"
    (plugins / "callback").mkdir(parents=True)
    (directory / "ansible.cfg").write_text("[defaults]\n")
    for shared in ("module_utils", "plugin_utils", "action"):
        (plugins / shared).symlink_to(PLUGINS / shared)
    for name in ENABLED:
        shutil.copy(PLUGINS / f"callback/{name}.py", plugins / "callback")
    text = (plugins / "callback/progress.py").read_text()
    for name, seconds in less.items():
        text, found = re.subn(rf"^{name} = [\d.]+", f"{name} = {seconds}", text, flags=re.MULTILINE)
        assert found == 1
    (plugins / "callback/progress.py").write_text(text)
    text = (plugins / "callback/run_lock.py").read_text()
    text, found = re.subn(r"(?<=    return )Path\(\S+ if os.geteuid\(\) == 0 else .*", 'Path(os.environ["MACHINE_LOCKS"])', text)
    assert found == 1
    (plugins / "callback/run_lock.py").write_text(text)
    return directory


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that all tests share which change nothing in it."""
    return project(tmp_path_factory.mktemp("project") / "impatient", HEARTBEAT=1.0, POLL=0.1)


class Runs:
    """Starts runs of playbooks that share a lock of their own."""

    def __init__(self, directory: Path, temporary: Path, project: Path) -> None:
        self.directory = directory
        self.temporary = temporary
        self.processes: list[ansible_fork.Run] = []
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "BERTH_"))} | {
            "XDG_CACHE_HOME": str(directory / "cache"),
            "MACHINE_LOCKS": str(directory / "machine"),
            "TMPDIR": str(temporary),
        }
        self.use(project)

    def use(self, project: Path) -> None:
        """Have the runs begin in a project."""
        self.environment |= {
            "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(project),
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(f"berth.platform.{name}" for name in ENABLED),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }

    def start(self, script: str, playbooks: int = 1, play: str = "", environment: tuple[str, str] = ("dev", "kubeadm")) -> ansible_fork.Run:
        """Start a run whose one task runs ``script`` in Python, where ``here`` is this directory.

        Args:
            script: Lines of Python.
            playbooks: How often the command names the playbook.
            play: More lines of its play.
            environment: Its name and its provider.
        """
        number = len(self.processes)
        program, playbook = self.directory / f"{number}.py", self.directory / f"{number}.yml"
        program.write_text(f"import os, subprocess, sys, time\nfrom pathlib import Path\nhere = Path({str(self.directory)!r})\n{script}\n")
        playbook.write_text(PLAY.format(python=sys.executable, script=program) + play)
        inventory = self.directory / f"{number}.ini"
        inventory.write_text("[berth]\n{}\n[berth:vars]\nberth_provider={}\n".format(*environment))
        command = ["ansible-playbook", "-i", str(inventory), "-c", "local", *[str(playbook)] * playbooks]
        with (self.directory / f"{number}.out").open("wb") as output:
            process = ansible_fork.Run(command, output, output, env=self.environment)
        self.processes.append(process)
        return process

    def printed(self, process: ansible_fork.Run) -> str:
        """Return what a run has printed so far."""
        return (self.directory / f"{self.processes.index(process)}.out").read_text(encoding="utf-8")

    def wait(self, process: ansible_fork.Run) -> str:
        """Return the output of a run that has to succeed."""
        process.wait(60)
        output = self.printed(process)
        assert process.returncode == 0, output
        return output

    def first_line(self, process: ansible_fork.Run) -> str:
        """Return the first line that a run prints, as soon as it has."""
        return self.line(process, "")

    def line(self, process: ansible_fork.Run, begin: str) -> str:
        """Return the first line of a run that begins so, as soon as it has printed it."""
        end = time.monotonic() + 30
        while not (found := re.search(rf"^({re.escape(begin)}.+)\n", self.printed(process), re.MULTILINE)):
            assert time.monotonic() < end and process.poll() is None, self.printed(process)
            time.sleep(0.02)
        return found[1]

    def appears(self, name: str) -> None:
        """Wait until a run has made a file in this directory."""
        end = time.monotonic() + 30
        while not (self.directory / name).exists():
            assert time.monotonic() < end, f"{name} did not appear"
            time.sleep(0.02)


@pytest.fixture
def runs(tmp_path: Path, impatient: Path) -> Iterator[Runs]:
    """Yield what starts runs, and end those that a failed test left."""
    # Ansible's sockets lie in the temporary directory, and tmp_path is too long for their names.
    with tempfile.TemporaryDirectory(prefix="runs-") as temporary:
        started = Runs(tmp_path, Path(temporary), impatient)
        yield started
        (tmp_path / "go").touch()
        for process in started.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_the_project_and_molecule_enable_the_same_callbacks_and_all_of_them() -> None:
    root = PLUGINS.parent
    settings = configparser.ConfigParser()
    settings.read(root / "ansible.cfg")
    molecule = yaml.safe_load((root / ".config/molecule/config.yml").read_text())["ansible"]["env"]
    enabled = settings["defaults"]["callbacks_enabled"].replace(" ", "")
    assert enabled == ",".join(f"berth.platform.{name}" for name in ENABLED)
    assert molecule["ANSIBLE_CALLBACKS_ENABLED"] == f"{enabled},show_namespace"  # the last, which the tests alone have
    assert {path.stem for path in (PLUGINS / "callback").glob("*.py")} == {*ENABLED, "berth_output"}


HOLD = "(here / 'holds').touch()\nwhile not (here / 'go').exists(): time.sleep(0.02)"


def test_a_second_run_says_for_whom_it_waits_and_then_runs(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    second = runs.start("assert (here / 'go').exists()")
    line = runs.first_line(second)
    described = rf"Waiting for another run of the environment dev, 0.yml \(process {first.pid}, under way for \d+ s\)\."
    assert re.fullmatch(described, line), line
    assert second.poll() is None
    (runs.directory / "go").touch()
    assert "Waiting" not in runs.wait(first)
    runs.wait(second)


def test_a_playbook_that_only_reads_waits_for_nobody_and_lets_others_go_on(runs: Runs) -> None:
    reading = "  vars: {run_lock: false}\n"
    first = runs.start(HOLD, play=reading)
    runs.appears("holds")
    assert "Waiting for" not in runs.wait(runs.start("", play=reading))
    assert "Waiting for" not in runs.wait(runs.start(""))
    assert first.poll() is None
    (runs.directory / "go").touch()
    runs.wait(first)


@pytest.mark.parametrize("others", [("prod", "eks"), ("dev", "existing")])
def test_environments_whose_cluster_is_elsewhere_wait_for_nobody_but_themselves(runs: Runs, others: tuple[str, str]) -> None:
    first = runs.start(HOLD, environment=("staging", "eks"))
    runs.appears("holds")
    assert "Waiting for" not in runs.wait(runs.start("", environment=others))
    assert "Waiting for" not in runs.wait(runs.start(""))
    second = runs.start("assert (here / 'go').exists()", environment=("staging", "eks"))
    assert runs.first_line(second).startswith("Waiting for")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


ALONE = "    - name: Be alone\n      berth.platform.machine_lock: {alone: true}\n"
THEN = "    - name: Go on\n      ansible.builtin.file: {path: %s, state: touch, mode: '0600'}\n"


def test_environments_of_one_machine_do_not_wait_for_each_other(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    assert "Waiting for" not in runs.wait(runs.start("", environment=("test", "kubeadm")))
    assert first.poll() is None
    (runs.directory / "go").touch()
    runs.wait(first)


def test_who_changes_the_machine_waits_for_all_that_use_it_and_says_for_which(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    second = runs.start("", environment=("test", "kubeadm"), play=ALONE + THEN % (runs.directory / "alone"))
    line = runs.line(second, "Waiting for")
    assert re.fullmatch(rf"Waiting for the environment dev, 0.yml \(process {first.pid}, under way for \d+ s\)\.", line), line
    assert not (runs.directory / "alone").exists()
    third = runs.start("assert (here / 'alone').exists()", environment=("late", "kubeadm"))
    assert runs.first_line(third).startswith("Waiting for the environment dev"), "else those who come later would keep it waiting"
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)
    runs.wait(third)


def test_who_changes_the_machine_waits_for_runs_with_another_cache_too(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    runs.environment["XDG_CACHE_HOME"] = str(runs.directory / "other cache")
    second = runs.start("", environment=("test", "kubeadm"), play=ALONE)
    assert runs.line(second, "Waiting for").startswith(f"Waiting for the environment dev, 0.yml (process {first.pid}, ")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


@pytest.mark.parametrize("provider", ["kubeadm", "eks"])
def test_only_an_environment_on_this_machine_is_the_same_to_runs_with_another_cache(runs: Runs, provider: str) -> None:
    first = runs.start(HOLD, environment=("dev", provider))
    runs.appears("holds")
    runs.environment["XDG_CACHE_HOME"] = str(runs.directory / "other cache")
    second = runs.start("", environment=("dev", provider))
    if provider == "eks":
        runs.wait(second)
    else:
        assert runs.first_line(second).startswith("Waiting for another run of the environment dev")
    (runs.directory / "go").touch()
    runs.wait(first)
    assert ("Waiting for" in runs.wait(second)) == (provider == "kubeadm")


@pytest.mark.parametrize(("user", "place"), [(0, "/run/berth-locks"), (1000, "/home/jo/cache/berth")])
def test_roots_locks_of_the_machine_lie_where_no_other_user_writes(monkeypatch: pytest.MonkeyPatch, user: int, place: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/home/jo/cache")
    monkeypatch.setattr(callback.os, "geteuid", lambda: user)
    assert callback.machine_place() == Path(place)


def test_runs_are_alone_one_after_the_other_and_share_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_lock, "POLL", 0.001)
    monkeypatch.delenv(run_lock.VARIABLE, raising=False)
    states, together, seen = {}, threading.Barrier(3), []

    def one(name: str) -> None:
        run = run_lock.Run({name: tmp_path}, tmp_path, "site.yml", lambda _line: None)
        together.wait(30)  # all three share the machine, and all three want to be alone
        run.use(alone=True)
        states[name] = "alone"
        seen.append(list(states.values()).count("alone"))
        states[name] = "ended"
        os.close(run.machine or -1)

    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert seen == [1, 1, 1] and not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("content", ["", "12345\n", "{}", "{", "[]"])
def test_a_lock_of_another_version_of_berth_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.delenv(run_lock.VARIABLE, raising=False)
    (tmp_path / "run-dev.lock").write_text(content)
    (tmp_path / "run-old.lock").write_text(content)
    with (tmp_path / "run-dev.lock").open() as theirs, (tmp_path / run_lock.MACHINE).open("w") as machine:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX)
        releases = iter([theirs, machine])
        monkeypatch.setattr(run_lock.time, "sleep", lambda _seconds: fcntl.flock(next(releases), fcntl.LOCK_UN))
        said: list[str] = []
        run = run_lock.Run({"dev": tmp_path}, tmp_path, "site.yml", said.append)
    assert said == ["Waiting for another run of the environment dev.", "Waiting for a run that does not say which it is."]
    for handle in (*run.handles.values(), run.machine, run.gate):
        os.close(handle or -1)


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (400, "6 min 40 s"), (7200, "120 min 0 s")])
def test_how_long_a_run_waits_is_said_in_words(seconds: float, words: str) -> None:
    assert run_lock.duration(seconds) == words


def test_who_waits_says_so_again_and_for_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    held, mine = (os.open(path, os.O_RDWR | os.O_CREAT) for _ in range(2))
    fcntl.flock(held, fcntl.LOCK_EX)
    now = iter(range(1000))
    monkeypatch.setattr(run_lock.time, "monotonic", lambda: 10.0 * next(now))
    sleeps = iter([None] * 7)

    def sleep(_seconds: float) -> None:
        if next(sleeps, "done") == "done":
            fcntl.flock(held, fcntl.LOCK_UN)

    monkeypatch.setattr(run_lock.time, "sleep", sleep)
    said: list[str] = []
    run_lock.take(mine, fcntl.LOCK_EX, lambda: "dev", said.append)
    assert said == ["Waiting for dev.", "Waiting for 30 s now, for dev.", "Waiting for 1 min 0 s now, for dev."]
    os.close(held)
    os.close(mine)


def test_a_play_that_changes_something_makes_its_playbook_wait(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    mixed = f"  vars: {{run_lock: false}}\n{PLAY.format(python='echo', script='second')}"
    second = runs.start("assert (here / 'go').exists()", play=mixed)
    assert runs.first_line(second).startswith("Waiting for")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


def test_the_lock_of_a_killed_process_is_free_at_once(runs: Runs, impatient: Path) -> None:
    program = runs.directory / "holder.py"
    program.write_text(
        "import os, time\n"
        "from pathlib import Path\n"
        "from ansible_collections.berth.platform.plugins.plugin_utils import run_lock\n"
        "place = Path(os.environ['MACHINE_LOCKS'])\n"
        "lock = run_lock.Run({'dev': place}, place, 'x.yml', print)\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = runs.environment | {"PYTHONPATH": str(impatient)}
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        holder.kill()
    assert "Waiting for" not in runs.wait(runs.start(""))


def test_a_run_that_was_killed_during_a_task_is_waited_for_until_that_task_has_ended(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = runs.start("assert (here / 'go').exists()")
    expected = f"Waiting for the task during which the run before of the environment dev (process {first.pid}) was killed."
    assert runs.first_line(second) == expected
    (runs.directory / "go").touch()
    runs.wait(second)


def test_a_service_that_a_task_left_running_does_not_keep_the_lock(runs: Runs) -> None:
    runs.wait(
        runs.start(
            "child = subprocess.Popen(['sleep', '20'], close_fds=False, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"
            "(here / 'pid').write_text(str(child.pid))"
        )
    )
    try:
        assert "Waiting for" not in runs.wait(runs.start(""))
    finally:
        os.kill(int((runs.directory / "pid").read_text()), signal.SIGKILL)


def test_a_playbook_that_a_task_runs_shares_the_lock(runs: Runs) -> None:
    runs.environment["INNER"] = str(runs.directory / "inner.yml")
    (runs.directory / "inner.yml").write_text(PLAY.format(python="echo", script="inner ran"))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"]
    output = runs.wait(runs.start(f"subprocess.run([*{command!r}, os.environ['INNER']], check=True, timeout=40)"))
    assert "Waiting for" not in output


def test_a_long_task_tells_its_name_and_the_seconds(runs: Runs) -> None:
    output = runs.wait(runs.start("time.sleep(2.5)"))
    beats = [int(seconds) for seconds in re.findall(r"^  \.\.\. Take a while \((\d+) s\)$", output, re.MULTILINE)]
    assert beats and beats == sorted(beats)


def test_what_a_module_reports_is_shown_and_the_file_is_removed(runs: Runs) -> None:
    output = runs.wait(runs.start("Path(os.environ['BERTH_PROGRESS']).open('a').write('1 of 2 pods ready\\nimported a\\n'); time.sleep(0.6)"))
    assert re.search(r"^  \.\.\. 1 of 2 pods ready \(\d+ s\)\n  \.\.\. imported a \(\d+ s\)$", output, re.MULTILINE)
    assert [path.name for path in runs.temporary.glob("berth-*")] == []


def test_the_second_playbook_of_one_command_is_followed_too(runs: Runs) -> None:
    script = "Path(os.environ['BERTH_PROGRESS']).open('a').write('reported\\n'); time.sleep(0.6)"
    assert runs.wait(runs.start(script, playbooks=2)).count("... reported") == 2


def test_a_short_run_says_nothing(runs: Runs) -> None:
    runs.use(project(runs.directory / "project"))
    assert "..." not in runs.wait(runs.start("")).replace("*", "")


def test_where_no_lock_can_be_made_the_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(callback.run, "environments", lambda _play: {"dev": "eks"})
    with pytest.raises(AnsibleError, match="The lock of the run cannot be created: .*XDG_CACHE_HOME can name another"):
        callback.CallbackModule()._take_locks(None, "site.yml")


def test_a_module_is_wrapped_once_for_all_runs_until_code_changes(runs: Runs) -> None:
    def wrapped() -> dict[str, int]:
        return {str(path.relative_to(kept)): path.stat().st_mtime_ns for path in kept.glob("*/*command*") if path.suffix != ".lock"}

    own = project(runs.directory / "project", POLL=0.1)
    runs.use(own)
    kept = runs.directory / "cache/berth/payloads"
    runs.wait(runs.start(""))
    first = wrapped()
    assert len(first) == 1
    assert [path.stat().st_mode & 0o777 for path in kept.iterdir()] == [0o700]
    runs.wait(runs.start(""))
    assert wrapped() == first
    (own / "ansible_collections/berth/platform/plugins/modules").mkdir()
    (own / "ansible_collections/berth/platform/plugins/modules/new.py").touch()
    runs.wait(runs.start(""))
    assert len(wrapped()) == 2 and wrapped().items() > first.items()


def test_what_was_wrapped_a_month_ago_for_other_code_is_removed(runs: Runs) -> None:
    kept = runs.directory / "cache/berth/payloads"
    for name, days in (("old", 31), ("recent", 29)):
        (kept / name).mkdir(parents=True)
        os.utime(kept / name, (time.time() - days * 86400,) * 2)
    runs.wait(runs.start(""))
    assert not (kept / "old").exists() and (kept / "recent").exists()


def test_a_run_goes_on_where_nothing_can_be_kept(runs: Runs) -> None:
    (runs.directory / "cache/berth").mkdir(parents=True)
    (runs.directory / "cache/berth/payloads").touch()
    assert "failed=0" in runs.wait(runs.start(""))


@pytest.mark.parametrize("variables", [{}, {"AWS_PROFILE": "nobody"}], ids=["usual", "no such profile"])
def test_awss_descriptions_are_read_once_for_all_modules(runs: Runs, impatient: Path, variables: dict[str, str]) -> None:
    program = runs.directory / "sessions.py"
    program.write_text(
        "import os\n"
        "from ansible_collections.berth.platform.plugins.callback import warm_up\n"
        "warm_up.preload(True)\n"
        "os.environ.pop('AWS_PROFILE', None)\n"
        "import botocore.session\n"
        "first, second = (botocore.session.get_session().get_component('data_loader') for _ in range(2))\n"
        "print(first is second)\n"
    )
    environment = runs.environment | {"PYTHONPATH": str(impatient)} | variables
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
