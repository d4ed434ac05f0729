"""The single-node cluster that kubeadm makes on this machine: what is there, and how to remove it.

The paths are kubeadm's own constants (k8s.io/kubernetes/cmd/kubeadm/app/constants) and those of roles/kubeadm.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .. import formats
from ..credential import account_name
from ..progress import report
from .service import ServiceError, backend, manager

DIRECTORY = Path("/var/lib/berth")
RUN = Path("/run/berth")
LOGS = Path("/var/log/berth")
KUBERNETES = Path("/etc/kubernetes")
ADMIN = KUBERNETES / "admin.conf"  # the kubeconfig of the administrator
KUBELET = Path("/var/lib/kubelet")
CNI_LEASES = Path("/var/lib/cni/networks/berth")
RECORD = DIRECTORY / "cluster.json"
INITIALIZED = DIRECTORY / "initialized"
RENEWING = DIRECTORY / "kubeadm" / "renewing"  # while certificates are renewed
VOLUMES = DIRECTORY / "volumes"
SOCKET = RUN / "containerd" / "containerd.sock"
TASKS = RUN / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"  # a directory for each container that runs
SERVICES = ("containerd", "kubelet")
NETWORK_NAMESPACES = Path("/run/netns")
ACCOUNTS = "berth-accounts"  # the namespace of the environments' accounts, as roles/kubeadm names it
LINKS = ("berth-pods", "berth-node")
# The programs that may have made packet filter rules; node-up writes to both kinds of tables.
FILTERS = ("iptables", "ip6tables", "iptables-nft", "iptables-legacy")

# What roles/kubeadm's node-up notes in NAME.before: kube-proxy sets the first two, the kubelet the others
# (k8s.io/kubernetes/pkg/kubelet/cm/container_manager_linux.go, setupKernelTunables).
SYSTEM = Path("/proc/sys")
CONTROL_GROUPS = Path("/sys/fs/cgroup")
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

# What any other cluster on this machine would have left behind; each is a file or a non-empty directory.
FOREIGN = (
    ADMIN,
    KUBERNETES / "kubelet.conf",
    KUBERNETES / "manifests",
    KUBELET / "config.yaml",
    Path("/var/lib/rancher/k3s"),
    Path("/var/lib/rancher/rke2"),
    Path("/var/snap/microk8s"),
    Path("/var/lib/k0s"),
)


# Made by containerd, whatever its configuration says. Removed only if empty, because another containerd may use them too.
CONTAINERD = (Path("/run/containerd/runc/k8s.io"), Path("/run/containerd/runc"), Path("/run/containerd/s"), Path("/run/containerd"))

# Counts ready pods in all namespaces.
WORKLOADS = ("/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets")


def there(path: Path) -> bool:
    """Whether ``path`` is a file, or a directory with something in it."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def record() -> dict[str, Any] | None:
    """Return what the role recorded about the cluster that it made; None if it made none."""
    try:
        return json.loads(RECORD.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def renewing() -> set[str]:
    """Return the kinds of certificates (as in certificates.py) whose renewal was interrupted: running processes may not have read them yet."""
    try:
        return set(json.loads(RENEWING.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return set()


def ours(text: str) -> bool:
    """Whether a kubeconfig was written for a current or earlier cluster of Berth's, for an environment or by kubeadm."""
    return re.search(r"^current-context: \S+@berth$", text, re.MULTILINE) is not None


def credentials(directory: Path | None = None) -> ssl.SSLContext | None:
    """Return the administrator's TLS context; None if kubeadm has not written the credentials to ``directory`` (/etc/kubernetes) yet."""
    directory = directory or KUBERNETES
    try:
        admin = (directory / ADMIN.name).read_text(encoding="utf-8")
        context = ssl.create_default_context(cafile=str(directory / "pki" / "ca.crt"))
        data = [re.search(rf"{name}: (\S+)", admin) for name in ("client-certificate-data", "client-key-data")]
        chain = b"".join(base64.b64decode(found.group(1)) for found in data if found)
        # The ssl module only loads a certificate from a file; this one never reaches a disk.
        descriptor = os.memfd_create("berth")
        try:
            os.write(descriptor, chain)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None
    return context


def get(address: str, path: str, context: ssl.SSLContext, timeout: float = 3) -> Any:
    """Ask the API server; return the decoded answer, None if there is none."""
    try:
        # Never through a proxy: the address is this machine's.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(f"https://{address}{path}", timeout=timeout) as answer:
            body = answer.read().decode()
    except (OSError, urllib.error.URLError):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body


MISSING, SILENT, UNAVAILABLE, STALE = "is missing", "does not answer", "is not available", "does not run, though its status says so"
PASSING = (SILENT, UNAVAILABLE, STALE)
"""What may be over in a moment: a busy machine delays a probe, and a control plane restarts."""


def unready(address: str, addons: list[str]) -> list[tuple[str, str]]:
    """Return what is not ready in the running cluster, each with what is wrong with it; empty if everything is.

    Args:
        address: Host and port of the API server.
        addons: The cluster's own workloads, as ``deployments/namespace/name`` or ``daemonsets/namespace/name``. A DaemonSet only has to exist:
            kube-router crashes if the kernel lacks a feature, and the cluster works without it.
    """
    context = credentials()
    if context is None or get(address, "/readyz", context) != "ok":
        return [("the API server", SILENT)]
    found = []
    for node in (get(address, "/api/v1/nodes", context) or {}).get("items", []):
        conditions = {c["type"]: c["status"] for c in node.get("status", {}).get("conditions", [])}
        if conditions.get("Ready") != "True":
            found.append((f"node {node['metadata']['name']}", "is not ready"))
    for addon in addons:
        kind, namespace, name = addon.split("/")
        live, what = get(address, f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}", context), f"{kind.removesuffix('s')} {namespace}/{name}"
        if not live:
            found.append((what, MISSING))
        elif live.get("status", {}).get("availableReplicas", 0) < live["spec"].get("replicas", 0):
            found.append((what, UNAVAILABLE))
    return found


def outdated(address: str) -> list[str] | None:
    """Return the pods and workloads (``namespace/name``) that are ready only by the API server's account; None if it does not answer.

    After a node was off, the API server reports the earlier state until the kubelet has checked each pod, and a controller has checked the pods.
    """
    context = credentials()
    answers = [get(address, path, context) if context else None for path in ("/api/v1/pods", *WORKLOADS)]
    read = [answer.get("items", []) for answer in answers if isinstance(answer, dict)]
    if len(read) < len(answers):
        return None
    pods, *workloads = read
    ready = [pod for pod in pods if any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))]
    found = [pod for pod in ready if not all(map(runs, pod["status"].get("containerStatuses", [])))]
    for workload in (each for group in workloads for each in group):
        labels = workload["spec"]["selector"].get("matchLabels", {}).items()
        place = workload["metadata"]["namespace"]
        mine = [pod for pod in ready if pod["metadata"]["namespace"] == place and labels <= pod["metadata"].get("labels", {}).items()]
        if workload["status"].get("readyReplicas", 0) > len(mine):
            found.append(workload)
    return [f"{each['metadata']['namespace']}/{each['metadata']['name']}" for each in found]


def runs(container: dict[str, Any]) -> bool:
    """Whether the container of a status (ContainerStatus) runs on this machine."""
    name = container.get("containerID", "").rpartition("/")[2]
    return bool(name) and (TASKS / name).exists()


def cgroup_version() -> int:
    """Return 1 or 2: what is mounted at /sys/fs/cgroup (cgroups(7))."""
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def has_sys_resource() -> bool:
    """Whether this process, and so its children, have CAP_SYS_RESOURCE (bit 24, capabilities(7))."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> 24 & 1)
    return False


def installed(packages: list[str]) -> set[str]:
    """Return those of ``packages`` that dpkg has installed."""
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    return {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}


class Removal:
    """Removes the cluster and nothing else, and keeps a list of what it removed."""

    def __init__(self, purge: str = "", timeout: float = 90) -> None:
        self.purge = purge
        self.timeout = timeout
        self.removed: list[str] = []

    def all(self) -> list[str]:
        """Remove all of the cluster, and the volumes of the namespace ``purge``. Return what was removed, as phrases."""
        self._pods()
        self._services()
        self._processes()
        self._mounts()
        self._network()
        self._slices()
        self._control_groups()
        self._files()
        return self.removed

    def _pods(self) -> None:
        """Let kubeadm undo its work, with a container engine that answers."""
        kubeadm = DIRECTORY / "bin" / "kubeadm"
        with contextlib.suppress(ServiceError):
            backend().stop("kubelet")
        if not kubeadm.exists() or not there(KUBERNETES):
            return
        with contextlib.suppress(ServiceError):
            if backend().known("containerd") and not backend().running("containerd"):
                backend().start("containerd")
        for _ in range(50):
            if SOCKET.exists():
                break
            time.sleep(0.1)
        report("kubeadm reset")
        # Its own steps are best effort; the next methods remove what it leaves behind.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [str(kubeadm), "reset", "--force", "--cri-socket", f"unix://{SOCKET}", "--cleanup-tmp-dir"],
                capture_output=True,
                check=False,
                timeout=self.timeout,
            )

    def _services(self) -> None:
        for name in reversed(SERVICES):
            if backend().remove(name):
                self.removed.append(f"service {name}")

    def _processes(self) -> None:
        if ended := end_shims():
            self.removed.append(f"{ended} containers that were still running")

    def _slices(self) -> None:
        """Make systemd forget the slices that it made for the kubelet; otherwise it goes on listing them after their control groups are gone."""
        if manager() == "systemd":
            subprocess.run(["systemctl", "stop", "kubepods.slice"], capture_output=True, check=False, timeout=self.timeout)

    def _control_groups(self) -> None:
        """Remove the kubelet's control groups; one that still holds a process stays."""
        for pattern in ("kubepods*", "*/kubepods*"):
            for top in CONTROL_GROUPS.glob(pattern):
                for directory, _, _ in os.walk(top, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(directory)

    def _mounts(self) -> None:
        if undone := unmount():
            self.removed.append(f"{undone} mounts")

    def _network(self) -> None:
        leased = pod_namespaces()
        proxy = DIRECTORY / "bin" / "kube-proxy"
        if proxy.exists():
            subprocess.run([str(proxy), "--cleanup"], capture_output=True, check=False, timeout=30)
        for tool in filter(shutil.which, FILTERS):
            self._rules(tool)
        self._sets()
        for link in LINKS:
            if subprocess.run(["ip", "link", "delete", link], capture_output=True, check=False).returncode == 0:
                self.removed.append(f"interface {link}")
        for namespace in leased:
            subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)
        with contextlib.suppress(OSError):  # if it has other namespaces, it is not ours
            if not os.listdir(NETWORK_NAMESPACES):
                subprocess.run(["umount", str(NETWORK_NAMESPACES)], capture_output=True, check=False)
                NETWORK_NAMESPACES.rmdir()
        self._settings()

    def _settings(self) -> None:
        for name in SETTINGS:
            before = DIRECTORY / f"{Path(name).name}.before"
            if before.exists():
                with contextlib.suppress(OSError):
                    (SYSTEM / name).write_text(before.read_text(encoding="ascii"), encoding="ascii")

    def _rules(self, tool: str) -> None:
        """Remove the rules and chains of kube-proxy, kube-router, the kubelet and our CNI network, in one restore per table."""
        save = subprocess.run([f"{tool}-save"], capture_output=True, text=True, check=False)
        if save.returncode:
            return
        kept, dropped = without_ours(save.stdout)
        if dropped and subprocess.run([f"{tool}-restore"], input=kept, text=True, capture_output=True, check=False).returncode == 0:
            self.removed.append(f"{dropped} {tool} rules and chains")

    def _sets(self) -> None:
        """Destroy the address sets that kube-router's rules referred to."""
        if not shutil.which("ipset"):
            return
        listed = subprocess.run(["ipset", "list", "-name"], capture_output=True, text=True, check=False).stdout
        destroyed = [name for name in our_sets(listed) if subprocess.run(["ipset", "destroy", name], capture_output=True, check=False).returncode == 0]
        if destroyed:
            self.removed.append(f"{len(destroyed)} ipsets")

    def _files(self) -> None:
        for path in (KUBERNETES, KUBELET, CNI_LEASES, LOGS / "pods", LOGS / "audit", *(LOGS / s for s in SERVICES), RUN / "containerd", RUN / "async"):
            self._tree(path)
        for path in (LOGS / "kubeadm-init.log", DIRECTORY / "containerd.toml", *DIRECTORY.glob("*.before")):
            path.unlink(missing_ok=True)
        for path in (CNI_LEASES.parents[1] / "results").glob(f"{CNI_LEASES.name}-*"):  # what the plugins remember about killed pods
            path.unlink()
        for name in ("bin", "cni", "containerd", "etcd", "kubeadm"):
            self._tree(DIRECTORY / name)
        if self.purge:
            self._tree(VOLUMES / self.purge)
        for link in Path("/var/log/containers").glob("*.log"):
            if link.is_symlink() and not link.exists():
                link.unlink()
        # The record goes last: as long as it is there, an interrupted removal can be run again.
        for path in (INITIALIZED, RECORD):
            path.unlink(missing_ok=True)
        for path in (
            Path("/var/log/containers"),
            Path("/var/log/pods"),
            DIRECTORY / "services",
            VOLUMES,
            DIRECTORY,
            LOGS,
            RUN,
            CNI_LEASES.parent,
            CNI_LEASES.parents[1] / "results",
            Path("/usr/libexec/kubernetes/kubelet-plugins/volume/exec"),
            Path("/usr/libexec/kubernetes/kubelet-plugins/volume"),
            Path("/usr/libexec/kubernetes/kubelet-plugins"),
            Path("/usr/libexec/kubernetes"),
            CNI_LEASES.parent.parent,
            *CONTAINERD,
        ):
            with contextlib.suppress(OSError):
                path.rmdir()

    def _tree(self, path: Path) -> None:
        if path.exists():
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                raise OSError(f"{path} could not be removed completely; it still contains: {', '.join(os.listdir(path)[:5])}")
            self.removed.append(str(path))


def end_shims() -> int:
    """End the shims that outlived containerd, and their containers with them; return how many there were."""
    mine = [pid for pid in shims() if os.path.exists(f"/proc/{pid}")]
    for pid in mine:
        for process in [*descendants(pid), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    return len(mine)


def unmount() -> int:
    """Unmount everything below the cluster's directories; return how many mounts there were."""
    roots = (str(RUN), str(DIRECTORY), str(KUBELET))
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    mine = [p for p in points if any(p == root or p.startswith(root + "/") for root in roots)]
    for point in sorted(mine, key=len, reverse=True):
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    return len(mine)


def stop(grace: float) -> list[str]:
    """Stop the cluster so that it can resume later, like before a shutdown of the machine; return what was stopped, as phrases.

    Files, addresses and packet filter rules stay. Containers are asked to end, and killed after ``grace`` seconds.

    Raises:
        ServiceError: The kubelet or containerd does not stop.
    """
    stopped = []
    # The kubelet goes first, because it would restart whatever ends; containerd goes last, because it keeps track of how they end.
    if backend().stop("kubelet"):
        stopped.append("service kubelet")
    if containers := end_containers(grace):
        stopped.append(f"{containers} containers")
    if backend().stop("containerd"):
        stopped.append("service containerd")
    end_shims()
    unmount()
    return stopped


def end_containers(grace: float) -> int:
    """Ask the first process of each container to end, wait up to ``grace`` seconds, and kill what is left; return how many there were."""
    first = [child for shim in shims() for child in children(shim)]
    # An API server without its etcd does not end by itself.
    stores = [pid for pid in first if program(pid) == "etcd"]
    end = time.monotonic() + grace
    for group in ([pid for pid in first if pid not in stores], stores):
        end_processes(group, end)
    return len(first)


def end_processes(asked: list[int], end: float) -> None:
    """Ask processes to end, and kill those that are left at ``end`` (of the monotonic clock) with their children."""
    for pid in asked:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    told = len(asked)
    while (left := [pid for pid in asked if alive(pid)]) and time.monotonic() < end:
        if len(left) < told:
            told = len(left)
            report(f"{told} of {len(asked)} containers have not ended yet")
        time.sleep(0.2)
    for pid in left:
        for process in [*descendants(pid), pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def program(pid: int) -> str:
    """Return the name of a process's program, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether the process exists and is not just waiting for its parent to collect its exit status (proc_pid_stat(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def change_environments(change: Callable[[set[str]], set[str]]) -> list[str]:
    """Change the list of environments in the cluster's record, while no other run does; return them.

    Raises:
        OSError: It cannot be written.
    """
    directory = os.open(RECORD.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        known = record() or {}
        known["environments"] = sorted(change(set(known.get("environments", []))))
        half = RECORD.with_suffix(".half")
        half.write_text(json.dumps(known, indent=4, sort_keys=True), encoding="utf-8")
        half.replace(RECORD)
    finally:
        os.close(directory)
    return known["environments"]


def stays(others: Sequence[str]) -> str:
    """Return what uses the cluster, and how to remove that; empty if no other environment uses it.

    >>> stays(["shop"])
    'the cluster, for shop. Destroy each with its own inventory or, if that is gone, with a copy of this one whose host has its name'
    """
    how = "Destroy each with its own inventory or, if that is gone, with a copy of this one whose host has its name"
    return f"the cluster, for {', '.join(others)}. {how}" if others else ""


def kept(namespace: str | None = None) -> list[str]:
    """Return the directories that hold volumes: of one namespace, by default of all, including those of environments that were destroyed earlier."""
    names = [namespace] if namespace is not None else sorted(os.listdir(VOLUMES)) if VOLUMES.is_dir() else []
    return [str(VOLUMES / name) for name in names if name and there(VOLUMES / name)]


def refuse_namespace(environment: str, namespace: str) -> None:
    """Refuse a namespace that is not valid: its directory would be that of all volumes, or be elsewhere.

    Raises:
        ValueError: It is not valid.
    """
    if wrong := formats.label(namespace):
        raise ValueError(f"the namespace of {environment} {wrong}")


def leave(environment: str, namespace: str, purge: bool) -> list[str]:
    """Remove one environment's name and account from a cluster that others also use; return what was removed, as phrases.

    Its namespace is gone by then, and its claims' volumes are released; ``purge`` removes their data.
    """
    change_environments(lambda known: known - {environment})
    account = ["delete", "serviceaccount", account_name(environment), "--namespace", ACCOUNTS, "--ignore-not-found"]  # and all its tokens with it
    _kubectl(*account)
    for name, phase in _volumes(namespace) or []:
        if phase == "Released":
            _kubectl("delete", "persistentvolume", name)
    return [f"environment {environment} from the cluster", *(_remove_data(namespace) if purge else [])]


def remove_kept(environment: str, namespace: str) -> list[str]:
    """Remove the data of an environment that has left a cluster which others use; return what was removed, as phrases.

    Raises:
        ValueError: Another environment uses volumes in that namespace.
        OSError: The API server does not say whether one does.
    """
    if (volumes := _volumes(namespace)) is None:
        how = "start the cluster first, with playbooks/ops/start.yml and the inventory of an environment in it"
        raise OSError(f"the API server does not answer, so it is not known whether {VOLUMES / namespace} is in use; {how}")
    if any(phase == "Bound" for _, phase in volumes):
        raise ValueError(f"the namespace of {environment} is {namespace}, where another environment uses volumes")
    return _remove_data(namespace)


def _remove_data(namespace: str) -> list[str]:
    found = kept(namespace)
    for directory in found:
        shutil.rmtree(directory)
    return found


def _volumes(namespace: str) -> list[tuple[str, str]] | None:
    """Return the names and phases of the volumes that claims of a namespace have or had; None if the API server does not answer."""
    done = _kubectl("get", "persistentvolumes", "--output", "json")
    if done.returncode:
        return None
    volumes = [volume for volume in json.loads(done.stdout)["items"] if volume["spec"].get("claimRef", {}).get("namespace") == namespace]
    return [(volume["metadata"]["name"], volume["status"].get("phase", "")) for volume in volumes]


def _kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(DIRECTORY / "bin" / "kubectl"), "--kubeconfig", str(ADMIN), *arguments], capture_output=True, text=True, check=False)


def without_ours(rules: str) -> tuple[str, int]:
    """Return ``rules`` (from iptables-save) without those of kube-proxy, kube-router, the kubelet, node-up and our CNI network, and how many went.

    Chains of Kubernetes begin with ``KUBE-``, those of node-up with ``BERTH-``, and its rules have the name of the pods' bridge as a comment.
    The CNI plugins put the network's name in the comment of each rule that jumps to a chain of one container;
    chains that containers of several networks share (``CNI-HOSTPORT-...``) stay.
    """
    lines = rules.splitlines()
    ours = [line for line in lines if 'name: \\"berth\\"' in line or "--comment berth-pods " in line]
    mine = {target(line) for line in ours if target(line).startswith("CNI-") and "HOSTPORT" not in target(line)}
    kept = [line for line in lines if line not in ours and "KUBE-" not in line and "BERTH-" not in line and chain(line) not in mine]
    return "\n".join(kept) + "\n", len(lines) - len(kept)


def our_sets(names: str) -> list[str]:
    """Return those of ``names`` (from ``ipset list -name``) that kube-router made.

    ``TMP-...`` is a set that it fills before it swaps it in; it is left over if kube-router is killed at that point
    (github.com/cloudnativelabs/kube-router, pkg/utils/ipset.go and pkg/controllers/netpol).
    """
    return [name for name in names.split() if re.fullmatch(r"(inet6:)?(KUBE-(SRC|DST)-[A-Z2-7]+|TMP-[A-Z2-7]{16})", name)]


def chain(line: str) -> str:
    """Return the chain that a line of iptables-save declares or appends to."""
    words = line.split()
    return words[0][1:] if line.startswith(":") else words[1] if line.startswith("-A") else ""


def target(line: str) -> str:
    """Return the target of a rule."""
    words = line.split()
    return words[words.index("-j") + 1] if "-j" in words else ""


def shims() -> list[int]:
    """Return the process ids of the shims of our containerd."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if "containerd-shim" in words[0] and str(SOCKET) in words:
                    found.append(int(entry.name))
    return found


def children(pid: int) -> list[int]:
    """Return the process ids of the children of ``pid``."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def descendants(pid: int) -> list[int]:
    """Return the process ids of the children of ``pid``, and of their descendants."""
    return [process for child in children(pid) for process in (child, *descendants(child))]


def pod_namespaces() -> list[str]:
    """Return the names of the network namespaces that have a link of our pods.

    host-local writes the container's id and interface into each lease; containerd names its namespaces ``cni-<uuid>``
    and keeps the name in the sandbox's metadata, so the namespaces that hold an address of our leases are ours.
    """
    addresses = {path.name for path in CNI_LEASES.glob("*.*.*.*")}
    if not addresses:
        return []
    found = []
    for path in NETWORK_NAMESPACES.glob("cni-*"):
        done = subprocess.run(["ip", "-json", "-netns", path.name, "address"], capture_output=True, text=True, check=False)
        with contextlib.suppress(ValueError):
            live = {a["local"] for link in json.loads(done.stdout or "[]") for a in link.get("addr_info", [])}
            if live & addresses:
                found.append(path.name)
    return found


def digest(value: Any) -> str:
    """Return a short checksum of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
