"""Check the machine before a cluster is created on it. Everything here only reads."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import platform
import re
import ssl
import struct
import urllib.error
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ..module_utils.image.registry import api_root
from ..module_utils.kube import identity
from ..module_utils.machine import disk
from ..module_utils.machine import kubeadm as cluster

# os-release(5) ID and VERSION_ID of the systems that roles/kubeadm has packages for.
SYSTEMS = {("debian", "12"): "Debian 12", ("debian", "13"): "Debian 13", ("ubuntu", "24.04"): "Ubuntu 24.04"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
LISTEN = "0A"  # TCP_LISTEN in include/net/tcp_states.h
REGISTRY_TIMEOUT = 5  # seconds


@dataclass(frozen=True)
class Listener:
    """A TCP socket that listens on ``port`` of ``address`` (0.0.0.0 or :: for all); ``inode`` is its number."""

    address: str
    port: int
    inode: str


@dataclass(frozen=True)
class Machine:
    """This machine; ``root`` is the root of its file system."""

    root: Path = Path("/")

    def path(self, path: Path) -> Path:
        """Return an absolute path of the machine, below ``root``."""
        return self.root / path.relative_to("/")

    def os_release(self) -> dict[str, str]:
        """Return the fields of /etc/os-release (os-release(5)); none if there is no such file."""
        try:
            text = self.path(Path("/etc/os-release")).read_text(encoding="utf-8")
        except OSError:
            return {}
        return dict(re.findall(r"""^(\w+)=["']?(.*?)["']?$""", text, re.MULTILINE))

    def system(self) -> str:
        """Return the system's common name."""
        fields = self.os_release()
        known = SYSTEMS.get((fields.get("ID", ""), fields.get("VERSION_ID", "")))
        return known or fields.get("PRETTY_NAME") or platform.system()

    def unsupported(self) -> str:
        """Return which systems kubeadm supports if this machine's is not one of them, else ""."""
        architecture = platform.machine()
        if platform.system() == "Linux" and architecture in ARCHITECTURES and self.system() in SYSTEMS.values():
            return ""
        return f"kubeadm works on {', '.join(SYSTEMS.values())} (amd64, arm64), not on {self.system()} ({architecture})"

    def description(self) -> str:
        """Return the system and the architecture in words."""
        return f"{self.system()} on {ARCHITECTURES.get(platform.machine(), platform.machine())}"

    def has_cluster(self) -> bool:
        """Whether Berth created a cluster here, complete or not."""
        return self.path(cluster.RECORD).exists()

    def has_whole_cluster(self) -> bool:
        """Whether Berth created a cluster here without being interrupted."""
        return self.has_cluster() and self.path(cluster.INITIALIZED).exists()

    def record(self) -> dict[str, Any]:
        """Return Berth's record of the cluster that it created here: ``settings`` and ``environments``; {} if it is missing or damaged."""
        try:
            found = json.loads(self.path(cluster.RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def foreign_cluster(self) -> list[str]:
        """Return the paths that show that this machine has a cluster that Berth did not create."""
        if self.has_cluster():
            return []
        return [str(path) for path in cluster.FOREIGN if cluster.there(self.path(path))]


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


# --- Room ------------------------------------------------------------------------------------------------------------


# What the pods in kube-system and local-path-storage request on a node that kubeadm and roles/kubeadm have set up; a test on the cluster adds it up.
KUBERNETES = {"cpu": Decimal("0.83"), "memory": Decimal(298 * 2**20)}


def memory_mb(name: str) -> int:
    """Return an amount of this machine's memory in MiB.

    Args:
        name: A field of proc_meminfo(5): MemTotal, or MemAvailable for what new processes can use without swapping.
    """
    found = re.search(rf"^{name}: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def capacity() -> dict[str, Decimal]:
    """Return how much CPU and memory (in bytes) a node that is this machine has for pods."""
    return {"cpu": Decimal(os.cpu_count() or 1), "memory": Decimal(memory_mb("MemTotal") * 2**20)}


def lacking_space(wanted: list[tuple[Path, int]]) -> list[str]:
    """Return a phrase for each file system with too little space; ``wanted`` has paths and the MiB needed below each."""
    needs: dict[int, int] = {}
    paths: dict[int, list[Path]] = {}
    for path, megabytes in wanted:
        device = disk.nearest(path).stat().st_dev
        needs[device] = needs.get(device, 0) + megabytes
        paths.setdefault(device, []).append(path)
    found = []
    for device, need in needs.items():
        state = os.statvfs(disk.nearest(paths[device][0]))
        free = state.f_bavail * state.f_frsize // 2**20
        if free < need:
            where = " and ".join(map(str, paths[device]))
            found.append(f"a new cluster needs {need} MiB of disk space under {where}, but only {free} MiB are free")
    return found


# --- Ports -----------------------------------------------------------------------------------------------------------


def listeners() -> list[Listener]:
    """Return this machine's listening TCP sockets (proc_pid_net(5))."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # a kernel without IPv6
            continue
        for words in map(str.split, lines):
            if words[3] == LISTEN:
                address, port = words[1].split(":")
                found.append(Listener(_address(address), int(port, 16), words[9]))
    return found


def _address(text: str) -> str:
    """Return an address of /proc/net/tcp, which has 32-bit words in the machine's byte order, in the usual notation."""
    numbers = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(struct.pack(f"={len(numbers)}I", *numbers))
    return str(getattr(address, "ipv4_mapped", None) or address)


def taken(port: int, address: str, by: list[Listener]) -> Listener | None:
    """Return the first listener that occupies ``port`` of ``address`` (0.0.0.0: all), None if the port is free."""
    everywhere = ("0.0.0.0", "::")
    return next(
        (listener for listener in by if listener.port == port and (address in everywhere or listener.address == address or listener.address in everywhere)),
        None,
    )


def holder(listener: Listener) -> tuple[int, str] | None:
    """Return the process ID and the program that holds a socket, None if that cannot be seen."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            for descriptor in os.scandir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):  # it has been closed
                    if os.readlink(descriptor.path) == f"socket:[{listener.inode}]":
                        return int(process), os.readlink(f"/proc/{process}/exe").removesuffix(" (deleted)")
    return None


def is_berths(listener: Listener) -> bool:
    """Whether a program that Berth installed on this machine holds a socket."""
    held = holder(listener)
    return held is not None and Path(held[1]).is_relative_to(cluster.DIRECTORY)


def held_by(listener: Listener) -> str:
    """Return what holds a socket, in words."""
    held = holder(listener)
    return f"{Path(held[1]).name} (process {held[0]})" if held else "another process"


def node_ports(services: dict[str, Any]) -> dict[int, tuple[str, str]]:
    """Return the node ports of a list of Services, as the API server answers with it, each with the Service's namespace and name.

    The kernel redirects connections to them, so no socket listens there.
    """
    return {
        port["nodePort"]: (service["metadata"]["namespace"], service["metadata"]["name"])
        for service in services.get("items") or []
        for port in service["spec"].get("ports") or []
        if port.get("nodePort")
    }


def other_service(machine: Machine, port: int, own: tuple[str, str]) -> str:
    """Return why a node port is not free in the cluster on a machine, "" if it is, or if the cluster does not answer.

    Args:
        machine: The machine.
        port: The port, 0 for any.
        own: The namespace and the name of the Service that is to have it.
    """
    made = machine.record().get("settings", {})
    context = cluster.credentials(machine.path(cluster.KUBERNETES)) if port and "api_port" in made else None
    services = cluster.get(f"{made['address']}:{made['api_port']}", "/api/v1/services", context) if context else None
    namespace, name = node_ports(services or {}).get(port, own)
    if (namespace, name) == own:
        return ""
    return f"port {port} is the node port of Service {name} in namespace {namespace}; choose another port, or 0 to let Kubernetes choose"


# --- Files and registries --------------------------------------------------------------------------------------------


def foreign_kubeconfig(path: Path) -> bool:
    """Whether ``path`` is a kubeconfig, or any other file, that Berth did not write."""
    try:
        return path.exists() and not identity.read(path) and not cluster.ours(path.read_text(encoding="utf-8", errors="replace"))
    except PermissionError:  # a file that this user may not read is another problem
        return False
    except OSError:
        return True


def silent_registry(registry: str) -> str:
    """Return why a registry (``host[:port][/path]``) does not answer like a registry, "" if it does.

    A registry answers requests for the API's root with 200, or with 401 if a login is needed:
    https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#determining-support
    """
    address = api_root(registry)
    try:
        context = ssl.create_default_context()
        with urllib.request.urlopen(address, timeout=REGISTRY_TIMEOUT, context=context):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code == 401 else f"{address} answers {error.code}, but a registry answers 200 or 401"
    except urllib.error.URLError as error:
        return f"{address} does not answer: {error.reason}"
    except OSError as error:
        return f"{address} does not answer: {error}"
