#!/usr/bin/env python3
"""A Docker engine for tests only: nobody else's `docker` sees it, and stopped it leaves nothing.

    engine.py start     start it unless it runs; prints `started` or `running`
    engine.py stop      end it, and remove its containers, networks, control groups and files; prints what it removed
    engine.py status    print `running` (exit 0) or `stopped` (exit 3)

Debian's docker.io is unpacked into the user's cache, not installed: nothing on the machine starts it, and a `docker` that is
there stays the one that is used. It has a socket, a bridge and directories of its own, reads no configuration file, and
leaves packet filter and IP forwarding alone: what it runs is reached from this machine and reaches nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "berth" / "tests" / "minikube"
PROGRAMS = CACHE / "docker"
DATA = CACHE / "engine"
RUN = Path("/run/berth-tests/minikube")
SOCKET = RUN / "docker.sock"
CONTAINERD = RUN / "containerd.sock"
STATE = RUN / "state.json"
LOG = CACHE / "engine.log"
BRIDGE = "berth-tests"
NETWORK_BRIDGE = re.compile(r"br-[0-9a-f]{12}")  # how Docker calls the bridge of a network
CONTROL_GROUP = "berth-tests"
PACKAGES = ("docker.io", "docker-cli", "containerd")  # docker-cli: since Debian 13 a package of its own
NEEDED = {"runc": "runc", "iptables": "iptables", "ip": "iproute2"}  # command: Debian package
# The first that overlaps with no network of this machine; clusters of Berth's take 10.244.0.0/15.
NETWORKS = ("10.246.0.0/24", "10.247.0.0/24", "172.30.246.0/24", "192.168.246.0/24")
# What a kubelet sets, and the node's kubelet sets it for the whole machine
# (k8s.io/kubernetes/pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables).
SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
CLUSTER = Path("/var/lib/berth/cluster.json")  # while it is there, its kubelet has set the same
SYSTEM = Path("/proc/sys")
HIERARCHIES_GONE = 20.0  # seconds
SYS_RESOURCE = 24  # linux/capability.h


class EngineError(Exception):
    """What is wrong, where, and what to do, in words for the person at the terminal."""


# Starting


def start() -> str:
    """Start the engine, and return what it was before: ``running``, or ``started``.

    Raises:
        EngineError: This machine cannot run it, or it does not answer.
    """
    if answers():
        return "running"
    require()
    clean()
    unpack()
    RUN.mkdir(parents=True, mode=0o700)
    RUN.chmod(0o700)
    state = {"settings": {name: (SYSTEM / name).read_text(encoding="ascii") for name in SETTINGS}, "hierarchies": hierarchies()}
    write(STATE, json.dumps(state))
    network = free_network(used_networks())
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{network[1]}/{network.prefixlen}", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    LOG.unlink(missing_ok=True)
    launch("containerd", "--config", str(configure_containerd()))
    wait_for(CONTAINERD.exists, "containerd")
    launch("dockerd", *dockerd_arguments())
    wait_for(answers, "dockerd")
    link_clients()
    return "started"


def require() -> None:
    """Refuse a machine that cannot run the engine, naming everything that it lacks."""
    problems = []
    if sys.platform != "linux" or os.geteuid() != 0:
        problems.append("it needs Linux, and root")
    if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
        problems.append("it takes Docker from Debian's packages, and there is no apt-get")
    problems += [f"{command} is missing: apt-get install {package}" for command, package in NEEDED.items() if not shutil.which(command)]
    if problems:
        raise EngineError("Docker's engine for the tests cannot run here: " + "; ".join(problems) + ".")


def unpack() -> None:
    """Have the packages' programs in the cache.

    Raises:
        EngineError: apt has not got them, or a library is missing.
    """
    if not PROGRAMS.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=CACHE, prefix="docker."))
        try:
            download(temporary)
            for package in temporary.glob("*.deb"):
                run("dpkg-deb", "--extract", str(package), str(temporary / "root"))
            (temporary / "root").rename(PROGRAMS)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    for name in ("dockerd", "containerd"):
        lacking = re.findall(r"^\s*(\S+) => not found", run("ldd", str(program(name))), re.MULTILINE)
        if lacking:
            raise EngineError(f"{name} lacks {', '.join(lacking)}: install the libraries that Debian's docker.io depends on.")


def download(directory: Path) -> None:
    """Download the packages with this machine's own apt, as root: its sandbox user cannot write into a home directory."""
    command = ["apt-get", "download", "-o", "APT::Sandbox::User=root"]
    for attempt in ("with the lists that are there", "with fresh ones"):
        known = run("apt-cache", "madison", *PACKAGES)
        names = [name for name in PACKAGES if re.search(rf"^\s*{re.escape(name)} \|", known, re.MULTILINE)]
        if "docker.io" in names and subprocess.run([*command, *names], cwd=directory, capture_output=True, check=False).returncode == 0:
            return
        if attempt.startswith("with the lists"):
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
    raise EngineError("apt-get cannot download docker.io and containerd: check the package sources (apt-get update; apt-get download docker.io).")


def program(name: str) -> Path:
    """Return where a program of the packages lies.

    Raises:
        EngineError: The packages hold none of that name.
    """
    for directory in ("usr/bin", "usr/sbin", "usr/libexec/docker"):
        if (PROGRAMS / directory / name).exists():
            return PROGRAMS / directory / name
    raise EngineError(f"Debian's docker.io and containerd hold no {name}: remove {PROGRAMS} and start again.")


def configure_containerd() -> Path:
    """Write containerd's configuration, and return its path."""
    lines = [
        "version = 2",
        f'root = "{DATA}/containerd"',
        f'state = "{RUN}/containerd"',
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
        "[grpc]",
        f'  address = "{CONTAINERD}"',
    ]
    write(RUN / "containerd.toml", "\n".join(lines) + "\n")
    return RUN / "containerd.toml"


def dockerd_arguments() -> list[str]:
    """Return dockerd's arguments: see dockerd(8)."""
    # An empty file: the machine's own engine may have one at the usual place.
    write(RUN / "daemon.json", "{}")
    arguments = [
        f"--config-file={RUN}/daemon.json",
        f"--host=unix://{SOCKET}",
        "--group=root",
        f"--data-root={DATA}/docker",
        f"--exec-root={RUN}/exec",
        f"--pidfile={RUN}/docker.pid",
        f"--containerd={CONTAINERD}",
        # Never "none": it removes docker0, which may be another engine's.
        f"--bridge={BRIDGE}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--exec-opt=native.cgroupdriver=cgroupfs",
        f"--cgroup-parent=/{CONTROL_GROUP}",
        # It would lower its own score, which takes CAP_SYS_RESOURCE.
        "--oom-score-adjust=0",
    ]
    if lacks_sys_resource(Path("/proc/self/status").read_text(encoding="ascii")):
        arguments += [f"--add-runtime=without-sys-resource={HERE}/runc-without-sys-resource", "--default-runtime=without-sys-resource"]
    return arguments


def lacks_sys_resource(status: str) -> bool:
    """Whether a process of that /proc/PID/status can never have CAP_SYS_RESOURCE, nor can what it starts."""
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    return bool(found) and not int(found[1], 16) >> SYS_RESOURCE & 1


def launch(name: str, *arguments: str) -> None:
    """Start a program that outlives this one."""
    path = os.pathsep.join([str(PROGRAMS / "usr/bin"), str(PROGRAMS / "usr/sbin"), os.environ.get("PATH", ""), "/usr/sbin:/sbin"])
    with LOG.open("ab") as log:
        subprocess.Popen(
            [str(program(name)), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PATH": path},
        )


def wait_for(ready: Callable[[], bool], name: str, seconds: float = 30) -> None:
    """Wait until a program is ready.

    Raises:
        EngineError: It is not in time; with the end of its log.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    tail = "\n".join(LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    raise EngineError(f"{name} does not answer after {seconds:g} s:\n{tail}\nThe whole log is {LOG}.")


def link_clients() -> None:
    """Put a `docker` that works with the engine where a PATH can have it first."""
    directory = RUN / "bin"
    directory.mkdir()
    (directory / "docker").symlink_to(program("docker"))


def used_networks() -> list[ipaddress.IPv4Network]:
    """Return the networks that this machine has routes to, but for the default."""
    routes = json.loads(run("ip", "-4", "-json", "route", "show", "table", "all"))
    found = [route["dst"] for route in routes if route.get("dst", "default") != "default" and route.get("type") != "broadcast"]
    return [ipaddress.IPv4Network(network, strict=False) for network in found]


def free_network(used: list[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """Return the first network of ours that overlaps with none that is used.

    Raises:
        EngineError: All of them do.
    """
    for candidate in map(ipaddress.IPv4Network, NETWORKS):
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise EngineError(f"Each of {', '.join(NETWORKS)} is taken on this machine (ip route): the tests' engine has no network left.")


# Stopping


def stop() -> str:
    """End the engine, and return what there was to remove, empty when there was nothing."""
    if answers():
        docker = str(program("docker"))
        for listed, removed in ((["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]), (["volume", "ls", "--quiet"], ["volume", "rm", "--force"])):
            found = run(docker, "--host", f"unix://{SOCKET}", *listed).split()
            if found:
                run(docker, "--host", f"unix://{SOCKET}", *removed, *found)
        run(docker, "--host", f"unix://{SOCKET}", "network", "prune", "--force")
    return clean()


def clean() -> str:
    """Remove whatever an engine left, however it ended; return what there was."""
    removed = []
    removed += end(engine_processes("dockerd"))
    removed += end(contained_processes(), gently=False)
    removed += end(engine_processes())
    removed += unmount()
    removed += remove_links()
    removed += remove_control_groups()
    removed += restore_settings()
    for directory in (DATA, RUN):
        if directory.exists():
            shutil.rmtree(directory)
            removed.append(str(directory))
    with contextlib.suppress(OSError):
        RUN.parent.rmdir()
    return ", ".join(removed)


def engine_processes(name: str = "") -> list[int]:
    """Return the processes that run a program of the packages, or only that one."""
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        with contextlib.suppress(OSError):
            executable = Path(str(link.readlink()).removesuffix(" (deleted)"))
            if executable.is_relative_to(PROGRAMS) and name in ("", executable.name):
                found.append(int(link.parent.name))
    return found


def contained_processes() -> list[int]:
    """Return the processes in the engine's containers."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cgroup"):
        with contextlib.suppress(OSError):
            if f":/{CONTROL_GROUP}/" in file.read_text(encoding="ascii", errors="replace"):
                found.append(int(file.parent.name))
    return found


def end(processes: list[int], gently: bool = True) -> list[str]:
    """End processes, first with a chance to clean up unless it is not worth it; return a phrase about them."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))[0 if gently else 1 :]:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        deadline = time.monotonic() + patience
        while alive(processes) and time.monotonic() < deadline:
            time.sleep(0.1)
    return [f"{len(processes)} processes"] if processes else []


def alive(processes: list[int]) -> list[int]:
    """Return those that still run; one that nobody waits for is over too."""
    running = []
    for process in processes:
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
            running += [process] if status not in "ZX" else []
    return running


def unmount() -> list[str]:
    """Unmount what is mounted in the engine's directories, the innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    ours = [point for point in points if Path(point).is_relative_to(RUN) or Path(point).is_relative_to(DATA)]
    for point in sorted(ours, key=len, reverse=True):
        run("umount", "--lazy", point)
    return [f"{len(ours)} mounts"] if ours else []


def remove_links() -> list[str]:
    """Remove the engine's bridges: its own, and those of networks that its database still names."""
    database = DATA / "docker" / "network" / "files" / "local-kv.db"
    content = database.read_bytes() if database.exists() else b""
    links = [link.name for link in Path("/sys/class/net").iterdir()]
    ours = [link for link in links if link == BRIDGE or (NETWORK_BRIDGE.fullmatch(link) and link.encode() in content)]
    for link in ours:
        run("ip", "link", "delete", link)
    return [f"bridge {link}" for link in ours]


def hierarchies() -> dict[str, int]:
    """Return the number of the control group hierarchy that each controller is mounted in, 0 for none: see cgroups(7)."""
    lines = Path("/proc/cgroups").read_text(encoding="ascii").splitlines()
    return {fields[0]: int(fields[1]) for fields in map(str.split, lines) if not fields[0].startswith("#")}


def mounted_controllers() -> set[str]:
    """Return the controllers whose hierarchy is mounted. (With cgroup v2 no controller has a hierarchy of its own.)"""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    return {option for fields in mounts if fields[2] == "cgroup" for option in fields[3].split(",")}


def remove_control_groups() -> list[str]:
    """Remove the containers' control groups, and the hierarchies that were mounted for them and by nobody else.

    systemd in the node mounts every hierarchy that the kernel has; one with groups in it stays when nobody mounts it any more.
    """
    removed = 0
    for top in [*Path("/sys/fs/cgroup").glob(f"*/{CONTROL_GROUP}"), Path("/sys/fs/cgroup", CONTROL_GROUP)]:
        removed += remove_groups(top) if top.is_dir() else 0
    # The node's containerd and kubelet see the machine's own root of cgroup v2. A group with processes in it is somebody else's, and stays.
    for name in ("k8s.io", "kubepods"):
        for group, _, _ in os.walk(Path("/sys/fs/cgroup/unified", name), topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(group)
                removed += 1
    if STATE.exists():
        before = json.loads(STATE.read_text(encoding="utf-8"))["hierarchies"]
        deadline = time.monotonic() + HIERARCHIES_GONE
        # The kernel lets go of removed groups a moment later; until then their hierarchy outlives its last mount.
        while (new := new_hierarchies(before)) and time.monotonic() < deadline:
            for controllers in new:
                with contextlib.suppress(EngineError):  # one that is just going cannot be mounted again
                    removed += remove_hierarchy(controllers)
            time.sleep(0.5)
    return [f"{removed} control groups"] if removed else []


def new_hierarchies(before: dict[str, int]) -> list[list[str]]:
    """Return the controllers of each hierarchy that was not there ``before`` and that nobody has mounted."""
    new: dict[int, list[str]] = {}
    mounted = mounted_controllers()
    for controller, number in hierarchies().items():
        if number and not before.get(controller) and controller not in mounted:
            new.setdefault(number, []).append(controller)
    return list(new.values())


def remove_hierarchy(controllers: list[str]) -> int:
    """Remove the groups of a hierarchy that is mounted nowhere, and return how many."""
    point = Path(tempfile.mkdtemp(prefix="berth-tests."))
    try:
        run("mount", "-t", "cgroup", "-o", ",".join(controllers), "none", str(point))
        try:
            return sum(remove_groups(group) for group in point.iterdir() if group.is_dir())
        finally:
            run("umount", str(point))
    finally:
        point.rmdir()


def remove_groups(top: Path) -> int:
    """Remove a control group and those below it, and return how many."""
    groups = [Path(directory) for directory, _, _ in os.walk(top, topdown=False)]
    for group in groups:
        group.rmdir()
    return len(groups)


def restore_settings() -> list[str]:
    """Give the kernel's settings the values that they had before the engine, unless a cluster of Berth's has set them."""
    if not STATE.exists() or CLUSTER.exists():
        return []
    restored = []
    for name, before in json.loads(STATE.read_text(encoding="utf-8"))["settings"].items():
        if (SYSTEM / name).read_text(encoding="ascii") != before:
            (SYSTEM / name).write_text(before, encoding="ascii")
            restored.append(f"setting {name}")
    return restored


# Shared


def answers() -> bool:
    """Whether the engine answers."""
    if not SOCKET.exists() or not PROGRAMS.exists():
        return False
    command = [str(program("docker")), "--host", f"unix://{SOCKET}", "version", "--format", "{{.Server.Version}}"]
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(command, capture_output=True, check=False, timeout=5).returncode == 0
    return False


def write(path: Path, content: str) -> None:
    """Write a file that is whole or not there."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(content, encoding="utf-8")
    temporary.rename(path)


def run(*command: str) -> str:
    """Run a tool and return what it printed.

    Raises:
        EngineError: It fails; with what it said.
    """
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise EngineError(f"{' '.join(command)} failed: {(answer.stderr or answer.stdout).strip()}")
    return answer.stdout


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keep other calls out; the kernel gives the lock back when this process ends, however it ends."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "engine.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Run the program."""
    try:
        match arguments:
            case ["start"]:
                with locked():
                    print(start())
            case ["stop"]:
                with locked():
                    print(stop())
            case ["status"]:
                print("running" if answers() else "stopped")
                return 0 if answers() else 3
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except EngineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
