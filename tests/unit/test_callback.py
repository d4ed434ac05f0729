"""One run at a time, and signs of life: small playbooks, run for real."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import ansible_fork
import pytest
from ansible.errors import AnsibleError
from module_run import PLUGINS, plugin

callback = plugin("callback/berth.py")
PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Take a while
      ansible.builtin.command:
        argv: [{python}, {script}]
"""


def project(directory: Path, **less: float) -> Path:
    """Make a project with nothing but the plugin, which has ``less`` patience than as it is shipped, and return its directory."""
    plugins = directory / "ansible_collections/berth/platform/plugins"
    (plugins / "callback").mkdir(parents=True)
    (directory / "ansible.cfg").write_text("[defaults]\n")
    (plugins / "module_utils").symlink_to(PLUGINS / "module_utils")
    text = (PLUGINS / "callback/berth.py").read_text()
    for name, seconds in less.items():
        text, found = re.subn(rf"^{name} = [\d.]+", f"{name} = {seconds}", text, flags=re.MULTILINE)
        assert found == 1
    (plugins / "callback/berth.py").write_text(text)
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
            "TMPDIR": str(temporary),
        }
        self.use(project)

    def use(self, project: Path) -> None:
        """Have the runs begin in a project."""
        self.environment |= {
            "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(project),
            "ANSIBLE_CALLBACKS_ENABLED": "berth.platform.berth",
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
        end = time.monotonic() + 30
        while "\n" not in (printed := self.printed(process).lstrip("\n")):
            assert time.monotonic() < end and process.poll() is None, printed
            time.sleep(0.02)
        return printed.partition("\n")[0]

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


HOLD = "(here / 'holds').touch()\nwhile not (here / 'go').exists(): time.sleep(0.02)"


def test_a_second_run_says_for_whom_it_waits_and_then_runs(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    second = runs.start("assert (here / 'go').exists()")
    assert runs.first_line(second) == f"Another Berth run (process {first.pid}) is under way; waiting for it to end."
    assert second.poll() is None
    (runs.directory / "go").touch()
    assert "waiting" not in runs.wait(first)
    runs.wait(second)


def test_a_playbook_that_only_reads_waits_for_nobody_and_lets_others_go_on(runs: Runs) -> None:
    reading = "  vars: {run_lock: false}\n"
    first = runs.start(HOLD, play=reading)
    runs.appears("holds")
    assert "Another Berth run" not in runs.wait(runs.start("", play=reading))
    assert "Another Berth run" not in runs.wait(runs.start(""))
    assert first.poll() is None
    (runs.directory / "go").touch()
    runs.wait(first)


@pytest.mark.parametrize("others", [("prod", "eks"), ("dev", "existing")])
def test_environments_whose_cluster_is_elsewhere_wait_for_nobody_but_themselves(runs: Runs, others: tuple[str, str]) -> None:
    first = runs.start(HOLD, environment=("staging", "eks"))
    runs.appears("holds")
    assert "Another Berth run" not in runs.wait(runs.start("", environment=others))
    assert "Another Berth run" not in runs.wait(runs.start(""))
    second = runs.start("assert (here / 'go').exists()", environment=("staging", "eks"))
    assert runs.first_line(second).startswith("Another Berth run")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


@pytest.mark.parametrize("others", [("test", "minikube"), ("test", "auto")])
def test_environments_of_one_machine_wait_for_each_other(runs: Runs, others: tuple[str, str]) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    second = runs.start("assert (here / 'go').exists()", environment=others)
    assert runs.first_line(second).startswith("Another Berth run")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


def test_a_play_that_changes_something_makes_its_playbook_wait(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    mixed = f"  vars: {{run_lock: false}}\n{PLAY.format(python='echo', script='second')}"
    second = runs.start("assert (here / 'go').exists()", play=mixed)
    assert runs.first_line(second).startswith("Another Berth run")
    (runs.directory / "go").touch()
    runs.wait(first)
    runs.wait(second)


def test_the_lock_of_a_killed_process_is_free_at_once(runs: Runs, impatient: Path) -> None:
    program = runs.directory / "holder.py"
    program.write_text(
        "import time\n"
        "from ansible_collections.berth.platform.plugins.callback import berth\n"
        "berth.CallbackModule()._take_lock('run.lock')\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = runs.environment | {"PYTHONPATH": str(impatient)}
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        holder.kill()
    assert "Another Berth run" not in runs.wait(runs.start(""))


def test_a_run_that_was_killed_during_a_task_is_waited_for_until_that_task_has_ended(runs: Runs) -> None:
    first = runs.start(HOLD)
    runs.appears("holds")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    second = runs.start("assert (here / 'go').exists()")
    assert runs.first_line(second) == f"Another Berth run (process {first.pid}) was killed during a task; waiting for that task to end."
    (runs.directory / "go").touch()
    runs.wait(second)


def test_a_service_that_a_task_left_running_does_not_keep_the_lock(runs: Runs) -> None:
    runs.wait(runs.start("child = subprocess.Popen(['sleep', '20'], close_fds=False, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)\n"
                         "(here / 'pid').write_text(str(child.pid))"))  # fmt: skip
    try:
        assert "Another Berth run" not in runs.wait(runs.start(""))
    finally:
        os.kill(int((runs.directory / "pid").read_text()), signal.SIGKILL)


def test_a_playbook_that_a_task_runs_shares_the_lock(runs: Runs) -> None:
    runs.environment["INNER"] = str(runs.directory / "inner.yml")
    (runs.directory / "inner.yml").write_text(PLAY.format(python="echo", script="inner ran"))
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"]
    output = runs.wait(runs.start(f"subprocess.run([*{command!r}, os.environ['INNER']], check=True, timeout=40)"))
    assert "Another Berth run" not in output


def test_a_long_task_tells_its_name_and_the_seconds(runs: Runs) -> None:
    output = runs.wait(runs.start("time.sleep(2.5)"))
    beats = [int(seconds) for seconds in re.findall(r"^  \.\.\. Take a while \((\d+) s\)$", output, re.MULTILINE)]
    assert beats and beats == sorted(beats)


def test_what_a_module_reports_is_shown_and_the_file_is_removed(runs: Runs) -> None:
    output = runs.wait(
        runs.start("Path(os.environ['BERTH_PROGRESS']).open('a').write('1 of 2 pods ready\\nimported a\\n'); time.sleep(0.6)")
    )
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
    monkeypatch.delenv("BERTH_RUN", raising=False)
    with pytest.raises(AnsibleError, match="The lock of a run cannot be made: .*Check XDG_CACHE_HOME"):
        callback.CallbackModule()._take_lock("run.lock")


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
        "from ansible_collections.berth.platform.plugins.callback import berth\n"
        "berth.preload(True)\n"
        "os.environ.pop('AWS_PROFILE', None)\n"
        "import botocore.session\n"
        "first, second = (botocore.session.get_session().get_component('data_loader') for _ in range(2))\n"
        "print(first is second)\n"
    )
    environment = runs.environment | {"PYTHONPATH": str(impatient)} | variables
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")
