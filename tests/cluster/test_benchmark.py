"""The local cluster against the CIS Kubernetes Benchmark: every item that a program can check holds, or is answered in docs/security.md.

The numbers are those of the benchmark's version 1.11, the titles our own. kube-bench's checks say what each one means:
https://github.com/aquasecurity/kube-bench/tree/main/cfg/cis-1.11
"""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES, KUBELET, BERTH = Path("/etc/kubernetes"), Path("/var/lib/kubelet"), Path("/var/lib/berth")
PKI = KUBERNETES / "pki"


def flags(component: str) -> dict[str, str]:
    """Return the flags of a part of the control plane."""
    pod = yaml.safe_load((KUBERNETES / "manifests" / f"{component}.yaml").read_text(encoding="utf-8"))
    words = [word.removeprefix("--") for word in pod["spec"]["containers"][0]["command"][1:]]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def kubelet() -> dict[str, Any]:
    """Return the kubelet's configuration."""
    return yaml.safe_load((KUBELET / "config.yaml").read_text(encoding="utf-8"))


def kubelet_flags() -> str:
    """Return the kubelet's own command line."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_bytes().decode(errors="replace").split("\0")
        if Path(words[0]).name == "kubelet":
            return shlex.join(words)
    pytest.fail("there is no kubelet")


def private(*paths: Path, mode: int = 0o600) -> bool:
    """Whether each file is root's, and nobody may do more with it than ``mode`` says."""
    found = [path.stat() for path in paths]
    return bool(found) and all(one.st_uid == one.st_gid == 0 and not stat.S_IMODE(one.st_mode) & ~mode for one in found)


def manifests(*components: str) -> bool:
    """Whether the manifests of parts of the control plane are root's alone."""
    return private(*(KUBERNETES / "manifests" / f"{component}.yaml" for component in components))


def has(component: str, *names: str) -> bool:
    """Whether a part of the control plane was given all of these flags."""
    return all(flags(component).get(name) for name in names)


def among(component: str, name: str, value: str) -> bool:
    """Whether a comma-separated flag of a part of the control plane has a value."""
    return value in flags(component).get(name, "").split(",")


def is_(component: str, name: str, value: str, default: str = "") -> bool:
    """Whether a flag of a part of the control plane has this value."""
    return flags(component).get(name, default) == value


API, MANAGER, SCHEDULER, ETCD = "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd"
ITEMS: dict[str, tuple[str, Callable[[], bool]]] = {
    "1.1.1": ("manifests are root's alone", lambda: manifests(API, MANAGER, SCHEDULER, ETCD)),
    "1.1.9": ("the network's configuration is root's alone", lambda: private(*(BERTH / "cni").glob("*.conflist"))),
    "1.1.11": ("etcd's data are its owner's alone", lambda: private(BERTH / "etcd", mode=0o700)),
    "1.1.12": ("etcd's data are a user's of its own", lambda: (BERTH / "etcd").owner() == "etcd"),
    "1.1.13": ("administrators' kubeconfigs are root's alone", lambda: private(*KUBERNETES.glob("*admin.conf"))),
    "1.1.15": ("the control plane's kubeconfigs are root's alone", lambda: private(KUBERNETES / "scheduler.conf", KUBERNETES / "controller-manager.conf")),
    "1.1.19": ("the directory of keys is root's", lambda: private(PKI, PKI / "etcd", mode=0o755)),
    "1.1.20": ("certificates are root's alone", lambda: private(*PKI.rglob("*.crt"))),
    "1.1.21": ("keys are root's alone", lambda: private(*PKI.rglob("*.key"))),
    "1.2.1": ("nobody asks the API server without a name", lambda: is_(API, "anonymous-auth", "false")),
    "1.2.2": ("no static tokens", lambda: not has(API, "token-auth-file")),
    "1.2.3": ("services have no addresses outside", lambda: among(API, "enable-admission-plugins", "DenyServiceExternalIPs")),
    "1.2.4": ("the API server logs in to the kubelet", lambda: has(API, "kubelet-client-certificate", "kubelet-client-key")),
    "1.2.5": ("the API server knows the kubelet's authority", lambda: has(API, "kubelet-certificate-authority")),
    "1.2.6": ("nothing is always allowed", lambda: not among(API, "authorization-mode", "AlwaysAllow")),
    "1.2.7": ("nodes have their own authorisation", lambda: among(API, "authorization-mode", "Node")),
    "1.2.8": ("roles decide", lambda: among(API, "authorization-mode", "RBAC")),
    "1.2.9": ("events are limited", lambda: among(API, "enable-admission-plugins", "EventRateLimit")),
    "1.2.10": ("nothing is always admitted", lambda: not among(API, "enable-admission-plugins", "AlwaysAdmit")),
    "1.2.11": ("images are always pulled", lambda: among(API, "enable-admission-plugins", "AlwaysPullImages")),
    "1.2.12": ("pods have service accounts", lambda: not among(API, "disable-admission-plugins", "ServiceAccount")),
    "1.2.13": ("namespaces end in order", lambda: not among(API, "disable-admission-plugins", "NamespaceLifecycle")),
    "1.2.14": ("nodes change only what is theirs", lambda: among(API, "enable-admission-plugins", "NodeRestriction")),
    "1.2.15": ("the API server is not profiled", lambda: is_(API, "profiling", "false")),
    "1.2.16": ("there is an audit log", lambda: has(API, "audit-log-path")),
    "1.2.17": ("it is kept for a month", lambda: int(flags(API).get("audit-log-maxage", "0")) >= 30),
    "1.2.18": ("ten files of it are kept", lambda: int(flags(API).get("audit-log-maxbackup", "0")) >= 10),
    "1.2.19": ("each has 100 MB", lambda: int(flags(API).get("audit-log-maxsize", "0")) >= 100),
    "1.2.21": ("deleted service accounts are noticed", lambda: not is_(API, "service-account-lookup", "false")),
    "1.2.22": ("tokens are signed with a key of their own", lambda: has(API, "service-account-key-file")),
    "1.2.23": ("the API server logs in to etcd", lambda: has(API, "etcd-certfile", "etcd-keyfile", "etcd-cafile")),
    "1.2.24": ("the API server speaks TLS", lambda: has(API, "tls-cert-file", "tls-private-key-file", "client-ca-file")),
    "1.2.27": ("secrets are encrypted in etcd", lambda: has(API, "encryption-provider-config")),
    "1.2.28": ("with a strong cipher", lambda: "secretbox" in (BERTH / "kubeadm/apiserver/encryption.yaml").read_text(encoding="utf-8")),
    "1.2.29": ("TLS has no weak ciphers", lambda: is_(API, "tls-min-version", "VersionTLS13")),
    "1.3.1": ("ended pods are collected", lambda: has(MANAGER, "terminated-pod-gc-threshold")),
    "1.3.2": ("the controller manager is not profiled", lambda: is_(MANAGER, "profiling", "false")),
    "1.3.3": ("each controller has an account", lambda: is_(MANAGER, "use-service-account-credentials", "true")),
    "1.3.4": ("tokens are signed with a private key", lambda: has(MANAGER, "service-account-private-key-file", "root-ca-file")),
    "1.3.7": ("the controller manager listens on the loopback alone", lambda: is_(MANAGER, "bind-address", "127.0.0.1")),
    "1.4.1": ("the scheduler is not profiled", lambda: is_(SCHEDULER, "profiling", "false")),
    "1.4.2": ("the scheduler listens on the loopback alone", lambda: is_(SCHEDULER, "bind-address", "127.0.0.1")),
    "2.1": ("etcd speaks TLS", lambda: has(ETCD, "cert-file", "key-file")),
    "2.2": ("etcd lets in certificates alone", lambda: is_(ETCD, "client-cert-auth", "true")),
    "2.3": ("etcd's certificates are not its own making", lambda: not is_(ETCD, "auto-tls", "true") and not is_(ETCD, "peer-auto-tls", "true")),
    "2.4": ("etcd speaks TLS with its peers", lambda: has(ETCD, "peer-cert-file", "peer-key-file")),
    "2.5": ("etcd lets in peers with certificates alone", lambda: is_(ETCD, "peer-client-cert-auth", "true")),
    "2.7": ("etcd has an authority of its own", lambda: flags(ETCD)["trusted-ca-file"] != flags(API)["client-ca-file"]),
    "3.2.1": ("there is an audit policy", lambda: has(API, "audit-policy-file")),
    "4.1.1": ("the kubelet's service file is root's alone", lambda: private(*service_files())),
    "4.1.5": ("the kubelet's kubeconfig is root's alone", lambda: private(KUBERNETES / "kubelet.conf")),
    "4.1.9": ("the kubelet's configuration is root's alone", lambda: private(KUBELET / "config.yaml")),
    "4.2.1": ("nobody asks the kubelet without a name", lambda: kubelet()["authentication"]["anonymous"]["enabled"] is False),
    "4.2.2": ("the API server decides who may ask the kubelet", lambda: kubelet()["authorization"]["mode"] == "Webhook"),
    "4.2.3": ("the kubelet knows its clients' authority", lambda: bool(kubelet()["authentication"]["x509"]["clientCAFile"])),
    "4.2.4": ("the kubelet has no port for everybody", lambda: kubelet().get("readOnlyPort", 0) == 0),
    "4.2.5": ("idle connections to pods end", lambda: re.fullmatch(r"0[hms0]*", str(kubelet().get("streamingConnectionIdleTimeout", "4h"))) is None),
    "4.2.6": ("the kubelet keeps its rules of the packet filter", lambda: kubelet().get("makeIPTablesUtilChains", True)),
    "4.2.7": ("the node has the machine's name", lambda: "--hostname-override" not in kubelet_flags()),
    "4.2.9": ("the kubelet's certificate is the cluster's", lambda: bool(kubelet().get("tlsCertFile"))),
    "4.2.10": ("the kubelet renews its certificate", lambda: kubelet().get("rotateCertificates") is True),
    "4.2.12": ("the kubelet has no weak ciphers", lambda: kubelet().get("tlsMinVersion") == "VersionTLS13"),
    "4.2.13": ("a pod cannot start processes without end", lambda: 0 < kubelet().get("podPidsLimit", -1) <= 16384),
    "4.2.14": ("pods have the runtime's filter of system calls", lambda: kubelet().get("seccompDefault") is True),
}


def service_files() -> list[Path]:
    """Return what starts the kubelet, under systemd or runit."""
    places = (Path("/etc/systemd/system/berth-kubelet.service"), BERTH / "services/kubelet/run", BERTH / "bin/kubelet-start")
    return [path for path in places if path.exists()]


def answered() -> set[str]:
    """Return the items that docs/security.md answers, each in a line of its table of the benchmark."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| CIS (\d[\d.]*\d) \|", text, flags=re.MULTILINE))


def test_every_item_of_the_benchmark_holds_or_is_answered_and_no_answer_is_out_of_date() -> None:
    failed = {number for number, (_, check) in ITEMS.items() if not check()}
    assert {f"{number} {ITEMS[number][0]}" for number in failed - answered()} == set()
    assert answered() - failed == set(), "these hold now"


def test_no_more_accounts_administer_the_cluster_than_kubernetes_itself_makes(api: client.ApiClient) -> None:
    bindings = client.RbacAuthorizationV1Api(api).list_cluster_role_binding().items
    subjects = {subject.name for binding in bindings if binding.role_ref.name == "cluster-admin" for subject in binding.subjects or []}
    # This cluster plays EKS at times, and lets in whom EKS would.
    subjects = {name for name in subjects if not name.startswith("eks-access:")}
    assert subjects <= {"system:masters", "kubeadm:cluster-admins"}


def test_secrets_are_encrypted_in_etcd_and_who_read_them_is_on_record(api: client.ApiClient, namespace: str) -> None:
    body = client.V1Secret(metadata=client.V1ObjectMeta(name="canary"), string_data={"value": "canary-that-nobody-may-read"})
    core = client.CoreV1Api(api)
    core.create_namespaced_secret(namespace, body)
    core.read_namespaced_secret("canary", namespace)
    written = [path.read_bytes() for path in (BERTH / "etcd/member/wal").glob("*.wal")]
    assert any(f"/registry/secrets/{namespace}/canary".encode() in text for text in written)
    assert not any(b"canary-that-nobody-may-read" in text for text in written)
    log = Path("/var/log/berth/audit/audit.log")
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if f'"namespace":"{namespace}"' in line and '"name":"canary"' in line]
    assert {verb for line in lines for verb in re.findall(r'"verb":"(\w+)"', line)} >= {"create", "get"}
    assert "canary-that-nobody-may-read" not in log.read_text(encoding="utf-8") and private(log)
