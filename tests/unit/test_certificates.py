"""When the cluster's certificates end, and that a run renews them before that, and after it."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.machine import certificates
from ansible_collections.berth.platform.plugins.module_utils.machine import kubeadm as cluster
from ansible_collections.berth.platform.plugins.module_utils.machine.service import ServiceError
from ansible_collections.berth.platform.plugins.modules import kubeadm_info, kubeadm_renew
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from module_run import run

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
NOW = datetime.now(UTC)


def pem(days: float) -> str:
    """Return a certificate that ends that many days from now."""
    ends = NOW + timedelta(days=days)
    builder = x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, ends - timedelta(days=365), ends)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def kubeconfig(days: float) -> str:
    """Return a kubeconfig with a client certificate in it."""
    return f"kind: Config\nusers:\n- user:\n    client-certificate-data: {base64.b64encode(pem(days).encode()).decode()}\n    client-key-data: AA==\n"


class Services:
    """The services, and what was done with them."""

    def __init__(self) -> None:
        self.up, self.done = {"containerd", "kubelet"}, list[str]()

    def running(self, name: str) -> bool:
        """Whether a service runs."""
        return name in self.up

    def restart(self, name: str) -> None:
        """Start it again."""
        self.done.append(f"restart {name}")

    def log(self, name: str, since: float) -> list[str]:
        """Return its log."""
        return ["E1128 the reason"]

    def place(self, name: str) -> str:
        """Return where the log is."""
        return "the journal"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of a machine with a cluster whose certificates last for years; its kubeadm notes what it is asked, and makes new ones."""
    places = {"DIRECTORY": "lib", "KUBERNETES": "etc", "KUBELET": "kubelet", "INITIALIZED": "lib/initialized", "RENEWING": "lib/kubeadm/renewing"}
    for name, path in places.items():
        monkeypatch.setattr(cluster, name, tmp_path / path)
    for name in (*certificates.AUTHORITIES, *certificates.CONTROL_PLANE, "kubelet.conf"):
        write(tmp_path / "etc" / name, 3000)
    write(tmp_path / "kubelet/pki/kubelet.crt", 3000)
    (tmp_path / "kubelet/pki/kubelet.key").touch()
    (tmp_path / "kubelet/pki/kubelet-client-current.pem").write_text(pem(3000))
    (tmp_path / "lib/bin").mkdir(parents=True)
    (tmp_path / "lib/kubeadm").mkdir()
    (tmp_path / "lib/initialized").touch()
    (tmp_path / "new.crt").write_text(pem(3650))
    (tmp_path / "new.conf").write_text(kubeconfig(3650))
    program(
        tmp_path,
        """
case "$1" in
certs) for each in $(find "$ROOT/etc" -name '*.crt' ! -name '*ca.crt'); do cp "$ROOT/new.crt" "$each"; done
    for each in admin super-admin controller-manager scheduler; do cp "$ROOT/new.conf" "$ROOT/etc/$each.conf"; done ;;
init) for last; do :; done; mkdir -p "$last"; cp "$ROOT/new.conf" "$last/kubelet.conf" ;;
esac
""",
    )
    services = Services()
    monkeypatch.setattr(kubeadm_renew, "backend", lambda: services)
    monkeypatch.setattr(cluster, "shims", list)
    monkeypatch.setattr(cluster, "unready", lambda address, addons: [])
    monkeypatch.setattr(Services, "current", services, raising=False)
    return tmp_path


def program(root: Path, body: str) -> None:
    """Write the kubeadm that does what ``body`` says."""
    kubeadm = root / "lib/bin/kubeadm"
    kubeadm.write_text(f'#!/bin/sh\nROOT={root}\necho "$*" >>"$ROOT/asked"\n{body}')
    kubeadm.chmod(0o755)


def write(path: Path, days: float) -> None:
    """Write a certificate, or a kubeconfig with one, by the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(kubeconfig(days) if path.suffix == ".conf" else pem(days))


def asked(root: Path) -> list[str]:
    """Return what kubeadm was asked, as the first words."""
    path = root / "asked"
    return [" ".join(line.split()[:4]) for line in path.read_text().splitlines()] if path.exists() else []


def renew(capsys: pytest.CaptureFixture[str], check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module."""
    return run(kubeadm_renew, capsys, check=check, address="a:1", config="init.yaml", **options)


RENEWS = "certs renew all --config"
KUBELET = "init phase kubeconfig kubelet"


@pytest.mark.parametrize(
    ("name", "days", "done"),
    [
        (None, 0, []),
        ("etc/pki/apiserver.crt", 61, []),
        ("etc/pki/apiserver.crt", 59, [RENEWS]),
        ("etc/pki/apiserver.crt", -400, [RENEWS]),
        ("etc/pki/etcd/peer.crt", 10, [RENEWS]),
        ("etc/pki/front-proxy-client.crt", 10, [RENEWS]),
        ("etc/admin.conf", 10, [RENEWS]),
        ("etc/scheduler.conf", -1, [RENEWS]),
        ("etc/kubelet.conf", 10, [KUBELET]),
        ("etc/kubelet.conf", -10, [KUBELET]),
        ("kubelet/pki/kubelet.crt", -1, []),  # the kubelet itself makes this one
        ("etc/pki/ca.crt", 10, []),  # kubeadm renews no authority
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_ends_is_renewed_and_nothing_else(
    machine: Path, capsys: pytest.CaptureFixture[str], name: str | None, days: float, done: list[str], check: bool
) -> None:
    if name:
        write(machine / name, days)
    ends = [str(machine / name)] if name and name != "etc/pki/ca.crt" and days < 60 else []
    answer = renew(capsys, check)
    assert (answer["changed"], answer["renewed"]) == (bool(ends), ends)
    assert asked(machine) == ([] if check else done)
    if not check:
        assert Services.current.done == (["restart kubelet"] if ends else [])
        assert not renew(capsys)["changed"]


def test_a_kubelet_gets_its_own_configuration_anew_and_forgets_the_certificates_of_before(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "kubelet/pki/kubelet-client-current.pem").write_text(pem(-1))
    (machine / "etc/kubelet.conf").write_text(f"users:\n- user:\n    client-certificate: {machine}/kubelet/pki/kubelet-client-current.pem\n")
    assert renew(capsys)["renewed"] == [str(machine / "etc/kubelet.conf")]
    assert (machine / "etc/kubelet.conf").read_text() == (machine / "new.conf").read_text()
    assert list((machine / "kubelet/pki").glob("kubelet-client-*")) == []
    assert list((machine / "lib/kubeadm").iterdir()) == []


def test_a_kubelets_serving_certificate_is_left_to_the_kubelet(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(machine / "kubelet/pki/kubelet.crt", 1)
    renew(capsys)
    assert [path.name for path in (machine / "kubelet/pki").iterdir()] == ["kubelet-client-current.pem"]


def test_what_runs_of_the_control_plane_ends_for_its_new_certificates_and_etcd_last(
    machine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[list[int]] = []
    programs = {11: "etcd", 12: "kube-apiserver", 13: "kube-controller", 14: "kube-scheduler", 15: "coredns", 16: "python"}
    monkeypatch.setattr(cluster, "shims", lambda: [1])
    monkeypatch.setattr(cluster, "children", lambda pid: list(programs))
    monkeypatch.setattr(cluster, "program", programs.get)
    monkeypatch.setattr(cluster, "end_processes", lambda pids, end: ended.append(pids))
    write(machine / "etc/pki/apiserver.crt", -1)
    renew(capsys)
    assert ended == [[12, 13, 14], [11]]


def test_of_a_stopped_cluster_only_the_files_are_renewed(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Services.current.up.clear()
    write(machine / "etc/pki/apiserver.crt", -1)
    assert renew(capsys)["changed"]
    assert (asked(machine), Services.current.done) == ([RENEWS], [])


@pytest.mark.parametrize("broken", ["kubeadm", "kubelet", "API server"])
def test_a_renewal_that_was_cut_off_is_done_again_whole(
    machine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    whole = (machine / "lib/bin/kubeadm").read_text().partition('asked"\n')[2]
    restart = Services.restart

    def refuse(self: Services, name: str) -> None:
        raise ServiceError("systemctl restart failed")

    if broken == "kubeadm":
        program(machine, "echo 'no key' >&2; exit 1\n")
    if broken == "kubelet":
        monkeypatch.setattr(Services, "restart", refuse)
    if broken == "API server":
        monkeypatch.setattr(cluster, "unready", lambda address, addons: [("the API server", "does not answer")])
    write(machine / "etc/pki/apiserver.crt", 5)
    failure = renew(capsys, timeout=0)
    assert (
        failure["msg"]
        == {
            "kubeadm": "kubeadm certs renew all failed: no key",
            "kubelet": "systemctl restart failed",
            "API server": "The certificates are renewed, but after 0 s the API server does not answer. "
            "Last errors of kubelet (the journal):\nE1128 the reason\nRun the same command again.",
        }[broken]
    )
    program(machine, whole)
    monkeypatch.setattr(Services, "restart", restart)
    monkeypatch.setattr(cluster, "unready", lambda address, addons: [])
    Services.current.done.clear()
    assert cluster.renewing() == {"control plane"}
    assert renew(capsys)["changed"]
    assert Services.current.done == ["restart kubelet"]
    assert cluster.renewing() == set()
    assert not renew(capsys)["changed"]


def test_a_cluster_that_is_not_made_yet_has_nothing_to_renew(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "lib/initialized").unlink()
    write(machine / "etc/pki/apiserver.crt", -1)
    assert not renew(capsys)["changed"]


# --- Reading ---------------------------------------------------------------
def test_every_certificate_is_read_with_its_kind_and_end(machine: Path) -> None:
    write(machine / "etc/pki/apiserver.crt", 2)
    found = certificates.of_machine(machine / "etc", machine / "kubelet")
    assert [each["kind"] for each in found] == ["authority"] * 3 + ["control plane"] * 11 + ["kubelet", "kubelet serving"]
    (server,) = [each for each in found if each["name"] == "pki/apiserver.crt"]
    assert server["ends"] == (NOW + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert 2 * 86400 - 600 < server["seconds"] <= 2 * 86400


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_certificate_that_cannot_be_read_counts_as_ended(machine: Path, content: str) -> None:
    (machine / "etc/pki/apiserver.crt").write_text(content)
    assert [each["name"] for each in certificates.ending(certificates.of_machine(machine / "etc", machine / "kubelet"), 60)] == ["pki/apiserver.crt"]


def test_a_kubeconfig_that_leads_to_a_file_is_followed_and_one_whose_file_is_gone_has_ended(machine: Path) -> None:
    (machine / "k").write_text("users:\n- user:\n    client-certificate: pem\n")
    assert certificates.of_kubeconfig(machine / "k")[0]["seconds"] < 0
    (machine / "pem").write_text(pem(5))
    assert certificates.of_kubeconfig(machine / "k")[0]["seconds"] > 4 * 86400


@pytest.mark.parametrize("text", ["kind: Config\nusers: []\n", "users:\n- user:\n    exec: {command: aws}\n", "users:\n- user:\n    token: x\n", None])
def test_a_kubeconfig_without_a_certificate_has_none_that_ends(tmp_path: Path, text: str | None) -> None:
    if text:
        (tmp_path / "k").write_text(text)
    assert certificates.of_kubeconfig(tmp_path / "k") == []


@pytest.mark.parametrize("more", ["", "    client-certificate-data: bm9uZQ==\n"])
def test_a_kubeconfig_with_a_token_ends_when_the_token_does(tmp_path: Path, more: str) -> None:
    said = base64.urlsafe_b64encode(json.dumps({"exp": int((NOW + timedelta(days=9)).timestamp())}).encode()).decode().rstrip("=")
    (tmp_path / "k").write_text(f"users:\n- user:\n    token: a.{said}.b\n{more}")
    (found,) = certificates.of_kubeconfig(tmp_path / "k")
    assert (found["kind"], found["ends"]) == ("kubeconfig", (NOW + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def test_what_is_to_be_renewed_is_named_with_its_end(machine: Path) -> None:
    write(machine / "etc/admin.conf", -3)
    write(machine / "etc/pki/etcd/server.crt", 3)
    cluster.RENEWING.write_text(json.dumps(["kubelet"]))
    told = kubeadm_info.renewal(certificates.of_machine(machine / "etc", machine / "kubelet"), 60)
    day = "%Y-%m-%dT%H:%M:%SZ"
    assert told == [
        f"{machine}/etc/pki/etcd/server.crt ends {(NOW + timedelta(days=3)).strftime(day)}",
        f"{machine}/etc/admin.conf ended {(NOW - timedelta(days=3)).strftime(day)}",
        "an earlier renewal was cut off",
    ]
