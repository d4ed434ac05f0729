"""Processes that outlive Ansible: runit's supervisor for real in a temporary directory, systemd's unit by its text."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.machine import service as service_manager
from ansible_collections.berth.platform.plugins.module_utils.machine.service import Runit, Service, ServiceError, Systemd
from ansible_collections.berth.platform.plugins.modules import background_service, kubeadm_init
from module_run import run

needs_runit = pytest.mark.skipif(not shutil.which("runsv"), reason="runit is not installed")


def until(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Wait until ``condition`` is true, and return whether it is; after ``seconds`` it will never be, however busy the machine is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def text(path: Path) -> str:
    """What a file holds that may not be there yet."""
    return path.read_text() if path.exists() else ""


def alive(pid: int) -> bool:
    """Whether a process is there that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def command_line(pid: int) -> bytes:
    """Return the words of a process, each with its end; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def leaving() -> Iterator[list[int]]:
    """Yield a list for the process ids of supervisors that were told to end, which takes each a second; after all tests they are gone."""
    supervisors: list[int] = []
    yield supervisors
    assert until(lambda: not any(map(alive, supervisors)))


@pytest.fixture
def runit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaving: list[int]) -> Iterator[Runit]:
    """Yield a backend with directories of its own, and end what it started."""
    monkeypatch.setattr(service_manager, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(service_manager, "PIDS", tmp_path / "run")
    machine = Runit(tmp_path / "services")
    monkeypatch.setattr(background_service, "backend", lambda: machine)
    monkeypatch.setattr(background_service, "manager", lambda: "runit")
    yield machine
    for supervisor in (tmp_path / "run").glob("*.pid"):
        if subprocess.run(["sv", "exit", machine.services / supervisor.stem], capture_output=True, check=False).returncode == 0:
            leaving.append(int(supervisor.read_text()))


def started(runit: Runit, *command: str, **options: str) -> int:
    """Write and start a service called ``s``; return its process id once it runs its program."""
    runit.write(Service("s", list(command), "A test's service", **options))
    runit.start("s")
    found: list[int] = []
    assert until(lambda: found.append(runit.pid("s")) or found[-1])
    return found[-1]


def supervisor(runit: Runit) -> int:
    """Return the process id of the supervisor of ``s``."""
    return int((service_manager.PIDS / "s.pid").read_text())


@needs_runit
def test_a_started_service_runs_and_its_output_is_kept(runit: Runit, tmp_path: Path) -> None:
    pid = started(runit, "sh", "-c", "echo 'hello world'; exec sleep 60")
    assert runit.running("s") and alive(pid)
    assert until(lambda: "hello world" in text(tmp_path / "logs/s/current"))


@pytest.mark.parametrize("before", [None, 0o755, 0o777, 0o750, 0o700])
def test_other_users_read_no_log_of_a_service(runit: Runit, tmp_path: Path, before: int | None) -> None:
    places = [tmp_path / "logs", tmp_path / "logs" / "s"]
    if before is not None:  # as an earlier version made them
        for place in places:
            place.mkdir()
            place.chmod(before)
    assert runit.write(Service("s", ["true"]))
    assert [place.stat().st_mode & 0o777 for place in places] == [0o700, 0o700]
    assert not runit.write(Service("s", ["true"]))


@needs_runit
def test_a_killed_service_comes_back(runit: Runit) -> None:
    pid = started(runit, "sleep", "60")
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: runit.pid("s") not in (0, pid))
    assert alive(runit.pid("s")) and not alive(pid)


@needs_runit
def test_a_stopped_service_is_gone_with_its_supervisor_and_can_be_started_at_once(runit: Runit) -> None:
    for _ in range(3):
        pid = started(runit, "sleep", "60")
        keeper = supervisor(runit)
        assert runit.stop("s")
        assert not alive(pid) and not alive(keeper) and not runit.running("s")
    assert not runit.stop("s")


@needs_runit
def test_a_service_that_does_not_heed_the_signal_is_killed(runit: Runit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_manager, "STOP_TIMEOUT", 1)
    pid = started(runit, sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)")
    assert until(lambda: "1" in text(service_manager.LOGS / "s/current"))
    with contextlib.suppress(ServiceError):
        runit.stop("s")
    assert until(lambda: not alive(pid) and not runit.running("s"))


@needs_runit
def test_a_removed_service_leaves_no_files(runit: Runit) -> None:
    started(runit, "sleep", "60")
    assert runit.remove("s")
    assert not (runit.services / "s").exists() and not (service_manager.PIDS / "s.pid").exists()
    assert not runit.remove("s")


@needs_runit
def test_a_service_outlives_the_process_that_started_it(runit: Runit) -> None:
    runit.write(Service("s", ["sleep", "60"]))
    code = f"""
from pathlib import Path
from ansible_collections.berth.platform.plugins.module_utils.machine import service
service.PIDS = Path({str(service_manager.PIDS)!r})
service.Runit(Path({str(runit.services)!r})).start("s")
"""
    # A pipe that the service kept open would hold this call up for as long as the service runs.
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    _, errors = starter.communicate(timeout=20)
    assert starter.returncode == 0, errors
    assert until(lambda: runit.pid("s"))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)
    assert os.getsid(supervisor(runit)) not in (starter.pid, os.getsid(0))
    assert until(lambda: alive(runit.pid("s")))


@needs_runit
def test_what_a_reboot_left_behind_does_not_hinder_the_start(runit: Runit) -> None:
    pid = started(runit, "sleep", "60")
    for process in (supervisor(runit), pid):  # without a word, as when the power goes
        os.kill(process, signal.SIGKILL)
    assert until(lambda: not alive(pid) and not runit.running("s"))
    assert (runit.services / "s/supervise/pid").exists()
    runit.start("s")
    assert until(lambda: runit.pid("s") not in (0, pid))


@needs_runit
def test_a_pid_file_of_another_process_does_not_hinder_the_start(runit: Runit) -> None:
    service_manager.PIDS.mkdir()
    (service_manager.PIDS / "s.pid").write_text(f"{os.getpid()}\n")
    assert alive(started(runit, "sleep", "60"))


@needs_runit
def test_a_service_waits_for_its_file(runit: Runit, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    started(runit, "sh", "-c", f"touch {ran}; exec sleep 60", wait_for=str(tmp_path / "wanted"))
    time.sleep(0.5)
    assert not ran.exists()
    (tmp_path / "wanted").touch()
    assert until(ran.exists)


@needs_runit
def test_the_preparation_runs_before_each_start(runit: Runit, tmp_path: Path) -> None:
    prepare = tmp_path / "prepare"
    prepare.write_text(f"#!/bin/sh\necho again >> {tmp_path}/prepared\n")
    prepare.chmod(0o755)
    pid = started(runit, "sleep", "60", before=str(prepare))
    assert until((tmp_path / "prepared").exists)
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: (tmp_path / "prepared").read_text() == "again\nagain\n")


@needs_runit
def test_words_with_spaces_and_quotes_reach_the_program_whole(runit: Runit, tmp_path: Path) -> None:
    words = ["two words", "it's", "$HOME", "100%", ""]
    code = f"import sys, time; open({str(tmp_path / 'words')!r}, 'w').write(repr(sys.argv[1:])); time.sleep(60)"
    started(runit, sys.executable, "-c", code, *words)
    assert until(lambda: text(tmp_path / "words") == repr(words))


# --- The module ------------------------------------------------------------
@needs_runit
def test_a_second_run_changes_nothing_and_a_changed_definition_restarts(runit: Runit, capsys: pytest.CaptureFixture[str]) -> None:
    first = run(background_service, capsys, services=[{"name": "s", "command": ["sleep", "60"]}])
    assert first["changed"]
    assert until(lambda: runit.pid("s"))
    pid = runit.pid("s")
    again = run(background_service, capsys, services=[{"name": "s", "command": ["sleep", "60"]}])
    assert not again["changed"] and again["services"] == {"s": {"pid": pid, "manager": "runit"}}
    other = run(background_service, capsys, services=[{"name": "s", "command": ["sleep", "61"]}])
    assert other["changed"]
    assert until(lambda: command_line(runit.pid("s")) == b"sleep\x0061\0")
    assert not alive(pid)


@needs_runit
def test_a_changed_file_that_a_service_reads_once_restarts_it(runit: Runit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("a: 1")
    services = [{"name": "s", "command": ["sleep", "60"], "reads": [str(settings)]}]
    assert run(background_service, capsys, services=services)["changed"]
    assert until(lambda: runit.pid("s"))
    pid = runit.pid("s")
    assert not run(background_service, capsys, services=services)["changed"]
    settings.write_text("a: 2")
    assert run(background_service, capsys, services=services)["changed"]
    assert until(lambda: runit.pid("s") not in (0, pid))


@needs_runit
def test_check_mode_starts_and_stops_nothing(runit: Runit, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(background_service, capsys, check=True, services=[{"name": "s", "command": ["sleep", "60"]}])["changed"]
    assert not runit.services.exists()
    pid = started(runit, "sleep", "60")
    assert run(background_service, capsys, check=True, services=[{"name": "s"}], state="absent")["changed"]
    assert alive(pid) and runit.running("s")


def test_a_check_before_runit_is_installed_finds_nothing_running(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(background_service, "backend", lambda: Runit(tmp_path / "services"))
    service = {"name": "s", "command": ["sleep", "60"]}
    assert run(background_service, capsys, check=True, services=[service])["changed"]
    assert not run(background_service, capsys, check=True, services=[service], state="absent")["changed"]


@needs_runit
def test_a_supervisor_that_cannot_start_is_named_as_soon_as_it_has_ended(
    runit: Runit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_manager.shutil, "which", lambda _: "/usr/bin/false")
    monkeypatch.setattr(service_manager, "START_TIMEOUT", math.inf)
    answer = run(background_service, capsys, services=[{"name": "s", "command": ["sleep", "60"]}])
    assert answer["msg"] == f"The supervisor of s did not start. Try: runsv {runit.services / 's'}"


@needs_runit
def test_a_supervisor_that_takes_its_time_is_waited_for(runit: Runit, tmp_path: Path) -> None:
    """As on a machine so busy that 10 seconds pass before it runs at all."""
    slow, go = tmp_path / "slow", tmp_path / "go"
    slow.write_text(f'#!/bin/sh\nuntil [ -e {go} ]; do sleep 0.01; done\nexec runsv "$@"\n')
    slow.chmod(0o755)
    clock, passed = time.monotonic, itertools.chain([0], itertools.repeat(10))

    def later() -> float:
        if seconds := next(passed):
            go.touch()
        return clock() + seconds

    runit.write(Service("s", ["sleep", "60"], "A test's service"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_manager.shutil, "which", lambda _: str(slow))
        patch.setattr(service_manager.time, "monotonic", later)
        runit.start("s")
    assert alive(supervisor(runit))


# --- systemd ---------------------------------------------------------------
@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which the calls of a systemctl are kept that does nothing."""
    calls, program = tmp_path / "calls", tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {shlex.quote(str(calls))}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(service_manager, "UNITS", tmp_path / "units")
    return calls


KUBELET = Service("kubelet", ["/bin/sleep", "60"], "A test's kubelet", before="/bin/true", wait_for="/var/lib/kubelet/config.yaml")


def test_the_unit_restarts_its_service_for_ever_and_keeps_its_containers(systemctl: Path) -> None:
    Systemd().write(KUBELET)
    unit = (service_manager.UNITS / "berth-kubelet.service").read_text()
    assert (
        unit
        == """\
[Unit]
Description=A test's kubelet
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
[Service]
ExecStartPre=/bin/true
ExecStart=/bin/sh -c 'until [ -e "$$0" ]; do sleep 0.2; done; exec "$$@"' /var/lib/kubelet/config.yaml /bin/sleep 60
Restart=always
RestartSec=1
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-999
[Install]
WantedBy=multi-user.target
"""
    )


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("service", [KUBELET, Service("s", ["/usr/bin/env", "PATH=/bin", "sleep", "5 %", "$HOME", "a b"], "100 % odd")])
def test_systemd_accepts_the_unit(systemctl: Path, service: Service) -> None:
    Systemd().write(service)
    unit = service_manager.UNITS / f"berth-{service.name}.service"
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_signs_that_systemd_would_replace_are_kept(systemctl: Path) -> None:
    Systemd().write(Service("s", ["/bin/echo", "100%", "$HOME"]))
    assert "ExecStart=/bin/echo 100%% '$$HOME'\n" in (service_manager.UNITS / "berth-s.service").read_text()


def test_a_unit_is_reloaded_only_when_it_changed(systemctl: Path) -> None:
    assert Systemd().write(KUBELET)
    assert not Systemd().write(KUBELET)
    assert systemctl.read_text() == "daemon-reload\n"


def test_a_unit_is_started_for_boots_too_and_removed_whole(systemctl: Path) -> None:
    Systemd().write(KUBELET)
    Systemd().start("kubelet")
    assert Systemd().remove("kubelet")
    assert not Systemd().remove("kubelet")
    assert systemctl.read_text().splitlines() == [
        "daemon-reload",
        "enable --quiet berth-kubelet.service",
        "start berth-kubelet.service",
        "is-active --quiet berth-kubelet.service",
        "disable --quiet --now berth-kubelet.service",
        "daemon-reload",
    ]
    assert list(service_manager.UNITS.iterdir()) == []


def test_a_unit_that_somebody_started_by_hand_is_started_for_boots_too(
    systemctl: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (systemctl.parent / "bin/systemctl").write_text(f'#!/bin/sh\necho "$*" >> {systemctl}\ncase $1 in is-enabled) exit 1 ;; show) echo 7 ;; esac\n')
    monkeypatch.setattr(background_service, "backend", Systemd)
    Systemd().write(KUBELET)
    service = {"name": "kubelet", "command": KUBELET.command, "description": KUBELET.description, "before": KUBELET.before, "wait_for": KUBELET.wait_for}
    assert run(background_service, capsys, check=True, services=[service])["changed"]
    assert "enable --quiet berth-kubelet.service" not in systemctl.read_text().splitlines()
    assert run(background_service, capsys, services=[service])["changed"]
    assert "enable --quiet berth-kubelet.service" in systemctl.read_text().splitlines()


def test_what_systemctl_complains_about_is_the_message(systemctl: Path) -> None:
    (systemctl.parent / "bin/systemctl").write_text("#!/bin/sh\necho 'Unit berth-s.service not found.' >&2\nexit 5\n")
    with pytest.raises(ServiceError, match=r"systemctl enable --quiet berth-s.service failed: Unit berth-s.service not found\."):
        Systemd().start("s")


# --- Services that do not come up ------------------------------------------
KLOG = [
    'I1128 12:57:56.449206     786 kubelet.go:3499] "Creating a mirror pod"',
    'E1128 12:57:56.5 786 run.go:74] "command failed" err="failed to create kubelet: open /dev/kmsg: no such file or directory"',
]
LATER = KLOG[1].replace("56.5 786", "58.1 12728")


class Ending:
    """A service that ends with each look at it, or never."""

    def __init__(self, lines: list[str], ends: bool = True) -> None:
        self.lines, self.ends, self.count = lines, ends, 5

    def endings(self, name: str) -> int:
        """Return how often it has ended."""
        self.count += self.ends
        return self.count

    def log(self, name: str, since: float) -> list[str]:
        """Return its log."""
        return self.lines

    def place(self, name: str) -> str:
        """Return where the log is."""
        return f"journalctl --unit berth-{name}.service"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (KLOG, "Last errors of s (journalctl --unit berth-s.service):\n" + KLOG[1]),
        (["line 1", "line 2"], "Last output of s (journalctl --unit berth-s.service):\nline 1\nline 2"),
        ([f"E1128 {n}" for n in range(20)], "Last errors of s (journalctl --unit berth-s.service):\n" + "\n".join(f"E1128 {n}" for n in range(12, 20))),
        ([], "Last output of s (journalctl --unit berth-s.service):\n(none)"),
        (
            ['time="2026-11-28" level=info msg="starting"', 'time="2026-11-28" level=fatal msg="listen tcp 127.0.0.1:5001: bind: address already in use"'],
            "Last errors of s (journalctl --unit berth-s.service):\n"
            'time="2026-11-28" level=fatal msg="listen tcp 127.0.0.1:5001: bind: address already in use"',
        ),
        ([KLOG[1], LATER], f"Last errors of s (journalctl --unit berth-s.service):\n{LATER}"),
        (["Error: unknown flag: --x", "See 'kubelet --help'"], "Last errors of s (journalctl --unit berth-s.service):\nError: unknown flag: --x"),
    ],
)
def test_the_last_words_of_a_service_are_its_errors_where_it_has_any(lines: list[str], told: str) -> None:
    assert service_manager.last_words(Ending(lines), "s", 0) == told


def test_a_service_that_ends_again_and_again_is_not_waited_for_until_the_time_is_up(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceError) as error:
        service_manager.wait_until_it_listens(Ending(KLOG), "s", str(tmp_path / "socket"), 0, timeout=600)
    assert time.monotonic() - began < 300
    assert str(error.value) == f"The service s keeps exiting. Last errors of s (journalctl --unit berth-s.service):\n{KLOG[1]}"


def test_a_service_that_runs_and_does_not_listen_is_told_with_its_address(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"The service s does not answer at .*/socket within 0 s\. Last output of s .*:\nhm"):
        service_manager.wait_until_it_listens(Ending(["hm"], ends=False), "s", str(tmp_path / "socket"), 0, timeout=0)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
def test_a_service_that_listens_is_up(tmp_path: Path, family: socket.AddressFamily) -> None:
    with socket.socket(family) as server:
        server.bind(str(tmp_path / "socket") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        address = server.getsockname() if family == socket.AF_UNIX else f"127.0.0.1:{server.getsockname()[1]}"
        assert not service_manager.listens(address)
        server.listen()
        service_manager.wait_until_it_listens(Ending([], ends=False), "s", address, 0, timeout=0)


@needs_runit
def test_runit_tells_a_service_that_ends_again_and_again_from_one_that_runs(runit: Runit, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"name": "s", "command": ["sh", "-c", "echo 'E1128 no /dev/kmsg' >&2; exit 1"], "listens": "/nowhere"}
    answer = run(background_service, capsys, services=[bad], timeout=600)
    assert answer["msg"] == f"The service s keeps exiting. Last errors of s ({service_manager.LOGS}/s/current):\nE1128 no /dev/kmsg"
    assert runit.log("s", time.time() + 3600) == []
    runit.write(Service("s", ["sleep", "60"]))
    runit.restart("s")
    assert until(lambda: runit.pid("s"))
    watch = service_manager.Watch(runit, "s")
    assert not watch.hopeless() and runit.endings("s") == watch.before


def test_systemd_is_asked_for_restarts_and_its_journal_for_the_log(systemctl: Path, tmp_path: Path) -> None:
    (systemctl.parent / "bin/systemctl").write_text(f'#!/bin/sh\necho "$*" >> {systemctl}\necho 4\n')
    program = systemctl.parent / "bin/journalctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {systemctl}\necho one\necho two\n')
    program.chmod(0o755)
    assert Systemd().endings("kubelet") == 4
    assert Systemd().log("kubelet", 1795870000.4) == ["one", "two"]
    assert systemctl.read_text().splitlines() == [
        "show --property=NRestarts --value berth-kubelet.service",
        "--unit berth-kubelet.service --since @1795870000 --output cat --lines 500 --no-pager --quiet",
    ]
    assert Systemd().place("kubelet") == "journalctl --unit berth-kubelet.service"


# --- kubeadm, which waits for the kubelet ----------------------------------
@pytest.fixture
def kubeadm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the program that stands in for kubeadm, on a machine whose kubelet ends with each look at it."""
    for name, path in {"DIRECTORY": "lib", "LOGS": "log", "KUBELET": "kubelet", "INITIALIZED": "initialized"}.items():
        monkeypatch.setattr(kubeadm_init.cluster, name, tmp_path / path)
    monkeypatch.setattr(kubeadm_init, "LOOK", 0.01)
    monkeypatch.setattr(kubeadm_init, "backend", lambda: Ending(KLOG))
    program = tmp_path / "lib" / "bin" / "kubeadm"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    (tmp_path / "kubelet").mkdir()
    return program


def test_a_kubelet_that_cannot_start_ends_kubeadm_at_once_with_the_journals_errors(kubeadm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeadm.write_text(f"#!/bin/sh\necho '[kubelet-start] Starting the kubelet'\ntouch {tmp_path}/kubelet/config.yaml\nexec sleep 600\n")
    answer = run(kubeadm_init, capsys, config="init.yaml")
    assert re.sub(r"after \d+ s", "after 0 s", answer["msg"]) == (
        "The kubelet ends again and again, so kubeadm init was ended after 0 s.\n"
        f"Last errors of kubelet (journalctl --unit berth-kubelet.service):\n{KLOG[1]}\n"
        "Run the same command again after mending the cause: it begins the cluster again."
    )
    assert not kubeadm_init.cluster.INITIALIZED.exists()


def test_a_kubeadm_that_fails_by_itself_is_quoted_with_the_kubelets_errors(kubeadm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeadm.write_text("#!/bin/sh\necho '[preflight] the port is taken'\nexit 1\n")
    answer = run(kubeadm_init, capsys, config="init.yaml")
    assert kubeadm_init.cluster.LOGS.stat().st_mode & 0o777 == 0o700, "other users read the logs"
    assert re.match(r"kubeadm init failed after \d+ s\. Its last words \(.*/kubeadm-init\.log\):\n\[preflight\] the port is taken\n", answer["msg"])
    assert f"Last errors of kubelet (journalctl --unit berth-kubelet.service):\n{KLOG[1]}\n" in answer["msg"]


def test_while_the_service_only_waits_for_its_configuration_the_kubelet_is_not_given_up(kubeadm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kubeadm.write_text("#!/bin/sh\nsleep 0.2\n")
    assert run(kubeadm_init, capsys, config="init.yaml")["changed"]
    assert kubeadm_init.cluster.INITIALIZED.exists()
