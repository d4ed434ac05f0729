#!/usr/bin/env python3
"""Print what of a cluster of Berth's, or of the tests' minikube, is on this machine, one line each; exit with 1 when there is anything.

    leftovers.py --save FILE    write down the kernel's settings, before there is a cluster
    leftovers.py [FILE]         look, and compare the settings with FILE

Volumes, installed packages, caches of users and the files of locks, which the machine's next start removes, are meant to stay.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "minikube"))

import engine

# Whatever a removal may leave: nothing of it is there on a machine that never had a cluster.
PATHS = (
    "/etc/kubernetes",
    "/var/lib/kubelet",
    "/var/lib/berth",
    "/run/berth",
    "/var/log/berth",
    "/var/log/pods",
    "/var/log/containers",
    str(engine.RUN),
    str(engine.DATA),
)
KEPT = ("/var/lib/berth/volumes",)
GLOBS = (
    "var/lib/cni/networks/berth",
    "var/lib/cni/results/berth-*",
    "etc/systemd/system/berth-*.service",
    "run/netns/cni-*",
    "run/systemd/transient/kubepods*",
    "sys/fs/cgroup/kubepods*",
    "sys/fs/cgroup/*/kubepods*",
    "sys/fs/cgroup/kubelet*",
    "sys/fs/cgroup/*/kubelet*",
    f"sys/fs/cgroup/{engine.CONTROL_GROUP}",
    f"sys/fs/cgroup/*/{engine.CONTROL_GROUP}",
)
SERVICES = ("containerd", "kubelet", "registry", "runsv", "svlogd")
OURS = ("/var/lib/berth", "/run/berth", "/var/log/berth", str(engine.PROGRAMS), str(engine.DATA))
# Another engine on this machine has bridges of its own, named alike.
OTHER_ENGINE = Path("/var/run/docker.sock")
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def leftovers(settings: dict[str, str]) -> Iterator[str]:
    """Yield a phrase for each thing; ``settings`` are those of the kernel as they were."""
    yield from processes()
    yield from files()
    yield from mounts()
    yield from interfaces()
    yield from hierarchies()
    for tool in ("iptables", "ip6tables"):
        yield from rules(tool)
    yield from sets()
    for name, before in settings.items():
        now = setting(name)
        if now != before:
            yield f"kernel setting {name} is {now}, it was {before}"


def processes() -> Iterator[str]:
    """Yield what runs in pods, what runs from our directories, and our services."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0") if entry.name.isdigit() else [""]
            program = str((entry / "exe").readlink()) if words[0] else ""
        except OSError:
            continue
        service = Path(words[0]).name in SERVICES and any(word.startswith(OURS) for word in words)
        contained = any(f"/{name}" in control_groups(entry) for name in ("kubepods", engine.CONTROL_GROUP))
        if words[0] and (service or program.startswith(OURS) or contained):
            yield f"process {entry.name}: {' '.join(words)[:100].strip()}"


def control_groups(process: Path) -> str:
    """Return what a process belongs to, empty when it has ended."""
    try:
        return (process / "cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def files() -> Iterator[str]:
    """Yield the files and directories; of a directory of which something is meant to stay, what else is in it."""
    found = [Path(name) for name in PATHS] + [path for pattern in GLOBS for path in Path("/").glob(pattern)]
    for path in found:
        stays = [Path(name) for name in KEPT if Path(name).is_relative_to(path)]
        if stays and path.is_dir():
            yield from (f"file {below}" for below in path.iterdir() if below not in stays)
        elif path.is_symlink() or path.is_file() or (path.is_dir() and any(path.iterdir())):
            yield f"file {path}"


def mounts() -> Iterator[str]:
    """Yield what is mounted below our directories and the kubelet's."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        point = line.split()[4]
        if point.startswith((*OURS, "/var/lib/kubelet", "/run/netns/cni-")):
            yield f"mount {point}"


def interfaces() -> Iterator[str]:
    """Yield our bridges, and what is plugged into them."""
    for link in Path("/sys/class/net").iterdir():
        master = link / "master"
        ours = link.name.startswith("berth-") or (master.exists() and master.resolve().name.startswith("berth-"))
        if ours or (engine.NETWORK_BRIDGE.fullmatch(link.name) and not OTHER_ENGINE.exists()):
            yield f"interface {link.name}"


def hierarchies() -> Iterator[str]:
    """Yield the controllers in a control group hierarchy that is mounted nowhere: a container mounted it and left groups in it."""
    mounted = engine.mounted_controllers()
    for controller, number in engine.hierarchies().items():
        if number and controller not in mounted:
            yield f"control group hierarchy {number}: {controller}"


def rules(tool: str) -> Iterator[str]:
    """Yield the rules and chains of Kubernetes and of our network."""
    saved = subprocess.run([f"{tool}-save"], capture_output=True, text=True, check=False).stdout
    for line in saved.splitlines():
        if "KUBE-" in line or "BERTH-" in line or 'name: \\"berth\\"' in line or "--comment berth-pods" in line:
            yield f"{tool}: {line}"


def sets() -> Iterator[str]:
    """Yield the sets of addresses that a network policy made."""
    if shutil.which("ipset"):
        names = subprocess.run(["ipset", "list", "-name"], capture_output=True, text=True, check=False).stdout.split()
        yield from (f"ipset {name}" for name in names if name.removeprefix("inet6:").startswith(("KUBE-", "TMP-")))


def setting(name: str) -> str:
    """Return a setting of the kernel, empty where it has none of that name."""
    path = Path("/proc/sys", name)
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


def main(arguments: list[str]) -> int:
    """Run the program."""
    match arguments:
        case ["--save", file]:
            Path(file).write_text(json.dumps({name: setting(name) for name in SETTINGS}), encoding="utf-8")
            return 0
        case []:
            settings = {}
        case [file]:
            settings = json.loads(Path(file).read_text(encoding="utf-8"))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    found = sorted(leftovers(settings))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
