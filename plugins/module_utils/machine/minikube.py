"""minikube: a profile's state, what to do about it, and which driver this machine offers.

minikube v1.38.1's answers were recorded call by call (tests/minikube/recorded.jsonl); for behaviour that comes from its source, the file is named.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The addons that minikube itself enables in every new cluster (pkg/minikube/assets/addons.go).
DEFAULT_ADDONS = frozenset({"default-storageclass", "storage-provisioner"})
# Other names of drivers (pkg/minikube/driver/driver.go); a profile has the first name.
DRIVER_ALIASES = {"qemu": "qemu2", "kvm": "kvm2"}
# Below these, minikube refuses, or with --force continues to a cluster that does not come up (cmd/minikube/cmd/start_flags.go).
MINIMUM_CPUS = 2
MINIMUM_MEMORY_MB = 1800
UNITS = {"b": 1 / 2**20, "k": 1 / 2**10, "m": 1, "g": 2**10, "t": 2**20}  # docker/go-units, RAMInBytes; in MB
PROBE_TIMEOUT = 6  # seconds, as in pkg/minikube/registry/drvs
ENGINES = ("docker", "podman")


class MinikubeError(Exception):
    """What is wrong, where, and what to do, for the person at the terminal."""


class Refusal(MinikubeError):
    """Nothing was changed, because the existing profile must not be touched or cannot take the settings."""


@dataclass(frozen=True)
class Wanted:
    """What the caller asks for; see the documentation of the module ``minikube`` for each field.

    Attributes:
        memory: In minikube's notation, such as ``4096`` (MB), ``4g`` or ``max``; as in all settings, "" leaves the choice to minikube.
        cni_manifest: A checksum of the manifest if ``cni`` is a path, else "".
    """

    profile: str
    state: str = "started"
    driver: str = ""
    nodes: int = 1
    cpus: str = ""
    memory: str = ""
    disk: str = ""
    kubernetes_version: str = ""
    container_runtime: str = ""
    cni: str = ""
    cni_manifest: str = ""
    feature_gates: dict[str, bool] = field(default_factory=dict)
    extra_config: list[str] = field(default_factory=list)
    registry_mirrors: list[str] = field(default_factory=list)
    insecure_registries: list[str] = field(default_factory=list)
    proxies: dict[str, str | None] = field(default_factory=dict)
    base_image: str = ""
    addons: list[str] = field(default_factory=list)
    extra_arguments: list[str] = field(default_factory=list)
    force: bool = False
    recreate: bool = False
    inventory: str = "the inventory"


@dataclass(frozen=True)
class Observed:
    """What is there.

    Attributes:
        state: ``absent``; ``foreign``, of another tool, user or environment; ``lost``, somebody removed the profile's container or machine;
            ``partial``, a start was interrupted; ``stopped``; ``paused``; ``unready``, made but not completely running; ``running``.
        reason: Why it is not ``absent``, ``stopped``, ``paused`` or ``running``, as a phrase.
        remedy: What helps if it is ``foreign``, apart from another name, as a phrase.
        silent: Whether the kubelet runs but the API server does not answer.
        config: The profile's configuration, as minikube keeps it.
        record: What an earlier run recorded about the profile; None if there is no record.
        addons: The addons that are enabled.
        known_addons: The names of all addons; empty if minikube was not asked.
        kubeconfig_current: Whether the environment's kubeconfig points to the cluster.
        kubeconfig_foreign: Whether the environment's kubeconfig points elsewhere.
        certificates_current: Whether the authorities that the node has to trust are where minikube looks for them.
    """

    state: str
    reason: str = ""
    remedy: str = "remove it with the tool that created it"
    silent: bool = False
    config: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] | None = None
    addons: frozenset[str] = DEFAULT_ADDONS
    known_addons: frozenset[str] = frozenset()
    kubeconfig_current: bool = True
    kubeconfig_foreign: bool = False
    certificates_current: bool = True

    @property
    def made(self) -> bool:
        """Whether one of our starts ever completed, so that there may be something to lose."""
        return bool((self.record or {}).get("made"))

    @property
    def kubernetes_version(self) -> str:
        """The cluster's version, "" if there is no cluster."""
        return self.config.get("KubernetesConfig", {}).get("KubernetesVersion", "")


@dataclass(frozen=True)
class Plan:
    """What to do, in order.

    Attributes:
        steps: ``delete``, ``unpause``, ``stop``, ``start``, ``enable NAME``, ``disable NAME``.
        recreate: Whether to delete and recreate a cluster that the steps do not bring up.
        why: The reason for the first step, as a phrase.
        warning: What may not be done, and what to do about it.
    """

    steps: list[str]
    recreate: bool = False
    why: str = ""
    warning: str = ""


# --- What is there -----------------------------------------------------------


def classify(profiles: dict[str, Any], profile: str, status: str, record: dict[str, Any] | None) -> tuple[str, str, bool]:
    """Return the state of a profile in the home, the reason for it, and whether only the API server does not answer.

    Args:
        profiles: The answer of ``profile list -o json``.
        profile: The profile's name.
        status: What ``status -o json`` printed: an object, a list of objects (several nodes), or ``null``.
        record: What an earlier run recorded about the profile.
    """
    names = {kind: [item.get("Name") for item in profiles.get(kind) or []] for kind in ("valid", "invalid")}
    if record is None:
        return "foreign", f"minikube has a profile {profile} that Berth did not create", False
    if profile not in names["valid"]:
        return "lost", "its configuration is damaged", False
    nodes = status_of(status)
    if not nodes:
        return "lost", "its container or virtual machine was removed by somebody", False
    control = next((node for node in nodes if not node.get("Worker")), nodes[0])
    host, kubelet, server = (control.get(key, "") for key in ("Host", "Kubelet", "APIServer"))
    if host == "Nonexistent":
        return "lost", "its container or virtual machine was removed by somebody", False
    if host == "Stopped":
        return "stopped", "", False
    if host == "Paused" or server == "Paused":
        return "paused", "", False
    if host != "Running":
        return "unready", f"the node is {host or 'in an unknown state'}", False
    if not record.get("made") or (kubelet, server, control.get("Kubeconfig")) == ("Stopped", "Stopped", "Misconfigured"):
        return "partial", "an earlier start was interrupted", False
    if kubelet != "Running":
        return "unready", "the kubelet is not running", False
    if server != "Running":
        return "unready", "the API server does not answer", True
    workers = [node.get("Name", "") for node in nodes if node.get("Worker") and {node.get("Host"), node.get("Kubelet")} != {"Running"}]
    if workers:
        return "unready", f"{', '.join(workers)} is not running", False
    return "running", "", False


def status_of(text: str) -> list[dict[str, Any]]:
    """Return the nodes in an answer of ``status -o json``; none if it is ``null`` or consists of events that report a missing profile."""
    try:
        answer = json.loads(text)
    except ValueError:
        return []
    nodes = answer if isinstance(answer, list) else [answer]
    return [node for node in nodes if isinstance(node, dict) and "Host" in node]


def enabled_addons(answer: dict[str, Any]) -> frozenset[str]:
    """Return the enabled addons in an answer of ``addons list -o json``."""
    return frozenset(name for name, addon in answer.items() if addon.get("Status") == "enabled")


# --- What cannot be, and what a start takes on --------------------------------


def megabytes(text: str) -> int | None:
    """Return a size in minikube's notation in MB; None for "", ``max`` and ``no-limit``, which minikube resolves.

    Raises:
        Refusal: It is not a size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([bkmgt]?)i?b?", text.strip().lower())
    if found:
        return int(float(found[1]) * UNITS[found[2] or "m"]) or None
    if text in ("", "max", "no-limit"):
        return None
    raise Refusal(f"{text!r} is not a size; write it like 4096 (MB), 4g or max")


def version(text: str) -> tuple[int, ...]:
    """Return a Kubernetes version as numbers.

    Raises:
        Refusal: It is not a version.
    """
    found = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+].*)?", text)
    if not found:
        raise Refusal(f"minikube_kubernetes_version: {text!r} is not a version; write it in full, like v1.36.3")
    return tuple(map(int, found.groups()))


def unusable(wanted: Wanted) -> list[str]:
    """Return what is wrong with the settings regardless of the existing profile, one phrase each, with the variable's name."""
    found = []
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]", wanted.profile):
        found.append(f"minikube_profile: {wanted.profile!r} is not a valid container name: use two or more letters, digits and hyphens")
    for name in ("memory", "disk"):
        try:
            size = megabytes(getattr(wanted, name))
        except Refusal as error:
            found.append(f"minikube_{name}: {error}")
            continue
        if name == "memory" and size is not None and size < MINIMUM_MEMORY_MB:
            found.append(f"minikube_memory: {size} MB is too little: Kubernetes needs {MINIMUM_MEMORY_MB}")
    if wanted.cpus.isdigit() and 0 < int(wanted.cpus) < MINIMUM_CPUS:
        found.append(f"minikube_cpus: {wanted.cpus} is too few: Kubernetes needs {MINIMUM_CPUS}")
    if not wanted.cpus.isdigit() and wanted.cpus not in ("", "max", "no-limit"):
        found.append(f"minikube_cpus: {wanted.cpus!r} is not a number; write it like 2 or max")
    if wanted.kubernetes_version:
        try:
            version(wanted.kubernetes_version)
        except Refusal as error:
            found.append(str(error))
    for item in wanted.extra_config:
        if not re.fullmatch(r"[a-z-]+\.[^=\s]+=.*", item):
            found.append(f"minikube_extra_config: {item!r} is not component.key=value, like kubelet.max-pods=200")
    return found


def differences(observed: Observed, wanted: Wanted) -> list[tuple[str, str, str]]:
    """Return the settings that an existing profile cannot take, as (variable, live value, wanted value).

    minikube itself ignores most of these with a warning and, for the container runtime, damages the profile (updateExistingConfigFromFlags in
    cmd/minikube/cmd/start_flags.go).
    """
    config = observed.config
    kubernetes = config.get("KubernetesConfig", {})
    record = observed.record or {}
    pairs: list[tuple[str, Any, Any]] = []
    driver = DRIVER_ALIASES.get(wanted.driver, wanted.driver)
    if driver:
        pairs.append(("driver", config.get("Driver", ""), driver))
    if config.get("Driver") != "none":  # it uses the machine's own
        sizes = {"memory": megabytes(wanted.memory), "disk": megabytes(wanted.disk), "cpus": int(wanted.cpus) if wanted.cpus.isdigit() else None}
        for name, key in (("memory", "Memory"), ("disk", "DiskSize"), ("cpus", "CPUs")):
            text = getattr(wanted, name)
            if sizes[name]:
                pairs.append((name, config.get(key), sizes[name]))
            elif text in ("max", "no-limit") and record.get(name, text) != text:  # only the first start knew how much that was
                pairs.append((name, config.get(key), text))
    pairs.append(("nodes", len(config.get("Nodes") or [None]), wanted.nodes))
    if wanted.container_runtime:
        # A start with another runtime fails and overwrites the profile's file, so the record has the runtime that the cluster was made with.
        pairs.append(("container_runtime", record.get("container_runtime") or kubernetes.get("ContainerRuntime"), wanted.container_runtime))
    if "cni" in record:
        pairs.append(("cni", record["cni"], wanted.cni or "auto"))
    elif wanted.cni not in ("", "auto") and "/" not in wanted.cni:  # a path is that of a manifest, which minikube copies
        pairs.append(("cni", kubernetes.get("CNI", ""), wanted.cni))
    if record.get("cni_manifest", wanted.cni_manifest) != wanted.cni_manifest and record.get("cni") == wanted.cni:
        pairs.append(("cni", f"{wanted.cni} as it was at the first start", "its present content"))
    if wanted.base_image:
        pairs.append(("base_image", config.get("KicBaseImage", ""), wanted.base_image))
    if record.get("proxies", given(wanted)["proxies"]) != given(wanted)["proxies"]:
        pairs.append(("proxies", "the value that it was created with", "another value (either may contain a password)"))
    pairs.append(("registry_mirrors", sorted(config.get("RegistryMirror") or []), sorted(wanted.registry_mirrors)))
    pairs.append(("insecure_registries", sorted(config.get("InsecureRegistry") or []), sorted(wanted.insecure_registries)))
    live, want = observed.kubernetes_version, wanted.kubernetes_version
    if live and want and version(want) < version(live):
        pairs.append(("kubernetes_version", live, want))
    if record.get("extra_config") and not wanted.extra_config:  # minikube has no way to remove the last one
        pairs.append(("extra_config", record["extra_config"], []))
    return [(f"minikube_{name}", shown(now), shown(then)) for name, now, then in pairs if now != then]


def given(wanted: Wanted) -> dict[str, str]:
    """Return the first start's settings that a profile does not show later, for the record; a checksum for those that may hold a secret."""
    proxies = sorted((name, value) for name, value in wanted.proxies.items() if value)
    return {
        "cni": wanted.cni or "auto",
        "cni_manifest": wanted.cni_manifest,
        "cpus": wanted.cpus,
        "disk": wanted.disk,
        "memory": wanted.memory,
        "proxies": checksum(proxies),
    }


def checksum(value: Any) -> str:
    """Return a string that differs for different values without revealing them."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def shown(value: Any) -> str:
    """Return a setting's value as an inventory would have it."""
    return value if isinstance(value, str) and value else json.dumps(value)


def to_take_on(observed: Observed, wanted: Wanted) -> str:
    """Return what a running cluster needs another start for, as a phrase; "" if nothing."""
    kubernetes = observed.config.get("KubernetesConfig", {})
    live, want = observed.kubernetes_version, wanted.kubernetes_version
    if live and want and version(want) > version(live):
        return f"Kubernetes is {live}, but {want} is wanted"
    gates = set(filter(None, kubernetes.get("FeatureGates", "").split(",")))
    if gates != set(feature_gates(wanted)):
        return "the feature gates differ"
    options = {f"{item['Component']}.{item['Key']}={item['Value']}" for item in kubernetes.get("ExtraOptions") or []}
    recorded = set((observed.record or {}).get("extra_config", []))
    if set(wanted.extra_config) - options or recorded - set(wanted.extra_config):  # minikube adds some of its own
        return "the extra configuration differs"
    if other_arguments(observed, wanted):
        return "the extra arguments differ"
    if wanted.container_runtime and kubernetes.get("ContainerRuntime") != wanted.container_runtime:
        return "a start with another container runtime damaged the profile"
    if not observed.certificates_current:
        return "the certificate authorities differ"
    if not observed.kubeconfig_current:
        return "the kubeconfig does not point to the cluster"
    return ""


def other_arguments(observed: Observed, wanted: Wanted) -> bool:
    """Whether the last start had other extra arguments, as far as that is known."""
    now = checksum(wanted.extra_arguments)
    return (observed.record or {}).get("extra_arguments", now) != now


def feature_gates(wanted: Wanted) -> list[str]:
    """Return the feature gates in minikube's format."""
    return [f"{name}={str(value).lower()}" for name, value in sorted(wanted.feature_gates.items())]


# --- What to do ----------------------------------------------------------------


def decide(observed: Observed, wanted: Wanted) -> Plan:
    """Return the steps from the observed state to the wanted one. Looks at nothing else and changes nothing.

    Raises:
        Refusal: The profile is not ours, was lost, or cannot take the settings.
    """
    if wanted.state == "absent":
        return to_absent(observed, wanted)
    if wanted.state == "stopped":
        return to_stopped(observed)
    return to_started(observed, wanted)


def to_absent(observed: Observed, wanted: Wanted) -> Plan:
    """Delete the profile, if it is ours."""
    if observed.state == "absent":
        return Plan([])
    if observed.state == "foreign":
        raise Refusal(f"{observed.reason}, so it is not removed; {observed.remedy}.")
    return Plan(["delete"])


def to_stopped(observed: Observed) -> Plan:
    """Stop the cluster, if it is ours and anything is running."""
    if observed.state == "foreign":
        raise Refusal(f"{observed.reason}, so it is not stopped; {observed.remedy}.")
    if observed.state in ("absent", "lost", "stopped"):
        return Plan([])
    return Plan(["unpause", "stop"] if observed.state == "paused" else ["stop"])


def to_started(observed: Observed, wanted: Wanted) -> Plan:
    """Make the cluster run, with its settings and its addons.

    Raises:
        Refusal: As for decide.
    """
    if problems := unusable(wanted):
        raise Refusal("\n".join(f"{problem} ({wanted.inventory})" for problem in problems))
    if observed.state == "foreign":
        raise Refusal(f"{observed.reason}, so it is not touched. Set minikube_profile in {wanted.inventory} to another name, or {observed.remedy}.")
    if observed.kubeconfig_foreign:
        raise Refusal(
            f"The kubeconfig points to a cluster that is not the minikube profile {wanted.profile}, so it is not overwritten: set "
            f"berth_kubeconfig in {wanted.inventory} to a path of its own."
        )
    if unknown := sorted(set(wanted.addons) - observed.known_addons) if observed.known_addons else []:
        raise Refusal(f"minikube_addons: minikube has no addon {', '.join(unknown)}; it has {', '.join(sorted(observed.known_addons))} ({wanted.inventory})")
    if observed.state == "lost" and not (wanted.recreate or not observed.made):
        raise Refusal(
            f"The minikube profile {wanted.profile} cannot be started: {observed.reason}. Its contents are lost. Set minikube_recreate: true in "
            f"{wanted.inventory} to recreate it, or remove the rest with playbooks/destroy.yml and run again."
        )
    exists = observed.state not in ("absent", "lost")
    changed = differences(observed, wanted) if exists and observed.config else []  # the latter is not known while the program still has to be downloaded
    if changed and observed.made:
        lines = [f"{variable}: is {live}, but {want} is wanted" for variable, live, want in changed]
        raise Refusal(
            f"The minikube profile {wanted.profile} cannot apply a changed setting:\n" + "\n".join(lines) + f"\nChange it back in {wanted.inventory}, "
            "or remove the cluster with playbooks/destroy.yml and run again; the cluster's contents are lost with it."
        )
    if observed.state == "lost" or changed:  # an interrupted first start has nothing to lose
        return Plan(["delete", "start", *addon_steps(DEFAULT_ADDONS, observed, wanted)], wanted.recreate, observed.reason)
    needed = to_take_on(observed, wanted)
    steps, why = {
        "absent": (["start"], "it does not exist yet"),
        "stopped": (["start"], "it is stopped"),
        "paused": (["unpause", *(["start"] if needed else [])], "it is paused"),
        "partial": (["start"], observed.reason),
        "unready": (["stop", "start"] if observed.silent else ["start"], observed.reason),
        "running": (["start"] if needed else [], needed),
    }[observed.state]
    enabled = observed.addons if observed.made else observed.addons | DEFAULT_ADDONS  # a first start enables the latter
    addons = addon_steps(enabled, observed, wanted)
    warning = (
        f"minikube_extra_arguments: the minikube profile {wanted.profile} was started with others. minikube ignores those that only a new "
        "profile accepts; to apply them all, remove the cluster with playbooks/destroy.yml and run again."
    )
    return Plan([*steps, *addons], wanted.recreate, why, warning if exists and other_arguments(observed, wanted) else "")


def addon_steps(enabled: frozenset[str], observed: Observed, wanted: Wanted) -> list[str]:
    """Return the steps from the addons that are (or will be) enabled to the wanted ones.

    Addons that somebody enabled by hand stay: only those that were wanted before, and those that minikube itself enables, are disabled.
    """
    ours = set((observed.record or {}).get("addons", [])) | DEFAULT_ADDONS
    unwanted = sorted((enabled & ours) - set(wanted.addons))
    missing = [name for name in dict.fromkeys(wanted.addons) if name not in enabled]
    return [f"disable {name}" for name in unwanted] + [f"enable {name}" for name in missing]


def start_arguments(wanted: Wanted, exists: bool) -> list[str]:
    """Return the options of ``start``; if the profile ``exists``, only those that it can take."""
    options: list[tuple[str, str]] = []
    if not exists:
        options += [
            ("driver", wanted.driver),
            ("nodes", str(wanted.nodes) if wanted.nodes > 1 else ""),
            ("cpus", wanted.cpus),
            ("memory", wanted.memory),
            ("disk-size", wanted.disk),
        ]
        options += [("registry-mirror", mirror) for mirror in wanted.registry_mirrors]
        options += [("insecure-registry", registry) for registry in wanted.insecure_registries]
    options += [
        ("kubernetes-version", wanted.kubernetes_version),
        ("container-runtime", wanted.container_runtime),
        ("cni", wanted.cni),
        ("base-image", wanted.base_image),
        *(("extra-config", item) for item in wanted.extra_config),
    ]
    given = [f"--{name}={value}" for name, value in options if value]
    gates = [f"--feature-gates={','.join(feature_gates(wanted))}"] if wanted.feature_gates or exists else []
    # Embed the certificates in the kubeconfig, so that it works alone, wherever it is copied to.
    fixed = ["--output=json", "--interactive=false", "--wait=all", "--embed-certs"]
    return [*fixed, *given, *gates, *(["--force"] if wanted.force else []), *wanted.extra_arguments]


# --- What this machine offers -----------------------------------------------------


def drivable(driver: str = "", force: bool = False) -> tuple[str, str]:
    """Return the driver that minikube would use on this machine and the reason, or "" and why there is none.

    Args:
        driver: The driver that the user named; "" tries those that minikube chooses from, in its order (priorities in pkg/minikube/registry/drvs).
        force: Whether minikube runs with ``--force``. Without it, it refuses every driver except ``none`` to root (validateUser in start.go).
    """
    candidates = [driver] if driver else ["docker", "kvm2", "vfkit", "podman", "qemu2"]
    silent = []
    for name in candidates:
        problem = probe(DRIVER_ALIASES.get(name, name))
        if problem:
            silent.append(f"{name}: {problem}")
        elif os.geteuid() == 0 and name != "none" and not force:
            return "", f"{name} answers, but minikube refuses to use it as root: run as another user who may use it, or set minikube_force: true"
        else:
            return name, f"{name} answers"
    return "", "; ".join(silent)


def probe(driver: str) -> str:
    """Return why minikube cannot use a driver here, "" if it can."""
    mac = platform.system() == "Darwin"
    qemu = f"qemu-system-{'aarch64' if platform.machine() in ('arm64', 'aarch64') else 'x86_64'}"
    commands = {
        "docker": ["docker", "version", "--format", "{{.Server.Version}}"],
        "podman": [*engine("podman"), "version", "--format", "{{.Server.Version}}" if mac else "{{.Version}}"],
        "kvm2": ["virsh", "--connect", os.environ.get("LIBVIRT_DEFAULT_URI", "qemu:///system"), "domcapabilities", "--virttype", "kvm"],
        "qemu2": [qemu, "--version"],
        "vfkit": ["vfkit", "--version"],
        "hyperkit": ["hyperkit", "-v"],
        "none": ["true"],
    }
    if driver not in commands:
        return "Berth does not know how to check for it"
    if driver == "none" and platform.system() != "Linux":
        return "this system is not Linux"
    if driver in ("vfkit", "hyperkit") and not mac:
        return "this system is not macOS"
    return answer(commands[driver])[1]


def engine(name: str) -> list[str]:
    """Return how minikube calls a container engine: podman as root on Linux (pkg/drivers/kic/oci, PrefixCmd)."""
    sudo = name == "podman" and platform.system() == "Linux" and os.geteuid() != 0
    return ["sudo", "-n", name] if sudo else [name]


def answer(command: list[str]) -> tuple[str, str]:
    """Return a command's standard output, and why it failed, "" if it did not."""
    tool = command[2] if command[0] == "sudo" else command[0]
    if not shutil.which(tool):
        return "", "not installed"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "", f"does not answer within {PROBE_TIMEOUT} s"
    except OSError as error:
        return "", str(error)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        return "", lines[-1] if lines else f"exits {done.returncode}"
    return done.stdout, ""


def taken(profile: str, driver: str) -> str:
    """Return what already has the name of a profile that is not in our home, as a phrase; "" if nothing has it.

    minikube deletes a container of that name from another minikube (Create in pkg/drivers/kic/kic.go), and reuses a volume.
    """
    for name in ENGINES if not driver else [driver] if driver in ENGINES else []:
        for kind, command in (("container", ["ps", "--all", "--format", "{{.Names}}"]), ("volume", ["volume", "ls", "--format", "{{.Name}}"])):
            if profile in answer([*engine(name), *command])[0].split():
                return f"{name} has a {kind} named {profile} that Berth did not create"
    if driver in ("kvm", "kvm2"):
        listed, _ = answer(["virsh", "--connect", os.environ.get("LIBVIRT_DEFAULT_URI", "qemu:///system"), "list", "--all", "--name"])
        if profile in listed.split():
            return f"libvirt has a virtual machine named {profile} that Berth did not create"
    return ""


def directory_of(home: Path) -> Path:
    """Return the directory in which minikube keeps its files for a MINIKUBE_HOME (pkg/minikube/localpath, MiniPath)."""
    return home if home.name == ".minikube" else home / ".minikube"
