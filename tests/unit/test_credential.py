"""An environment's own way into the cluster: what it may do there, when its token is renewed, and what takes its place."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils import credential as credential_lib
from ansible_collections.berth.platform.plugins.module_utils.credential import DAY, Account
from ansible_collections.berth.platform.plugins.module_utils.kube import client
from ansible_collections.berth.platform.plugins.module_utils.kube.client import KubeError, Unreachable
from ansible_collections.berth.platform.plugins.module_utils.kube.existing import NEEDED, NEEDED_BY_DATABASE, namespace_rules
from fake_api import UID, Api, kubeconfig, running
from module_run import plugin

PROJECT = Path(__file__).resolve().parents[2]
credential = plugin("action/k8s_credential.py")
ACCOUNT = Account("berth-accounts", "dev")
TOKEN = "/api/v1/namespaces/berth-accounts/serviceaccounts/dev/token"
NOW = 1_800_000_000
ADMINISTRATOR = {
    "clusters": [{"name": "berth", "cluster": {"server": "https://10.245.0.1:6443", "certificate-authority-data": "Y2E="}}],
    "users": [{"name": "kubernetes-admin", "user": {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}}],
    "current-context": "kubernetes-admin@berth",
}


def token(account: Account = ACCOUNT, begins: float = NOW, days: float = 365, **more: Any) -> str:
    """Return a token as the API server signs it."""
    said = {"sub": account.user, "iat": int(begins), "exp": int(begins + days * DAY)} | more
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b"{}", json.dumps(said).encode(), b"signature"))


def written(path: Path, document: Any, mode: int = 0o600) -> Path:
    """Write a kubeconfig."""
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    path.chmod(mode)
    return path


# --- What it may do ------------------------------------------------------------
def allowed(verb: str, resource: str, name: str = "") -> bool:
    """Whether the environment may do that in its namespace."""
    plural, _, group = resource.partition(".")
    return any(
        verb in rule["verbs"] and plural in rule["resources"] and group in rule["apiGroups"] and name in rule.get("resourceNames", [name])
        for rule in namespace_rules("polls-dev")
    )


def of_kind(kind: str) -> str:
    """Return the resource of a kind, as ``deployments.apps``."""
    _, plural, group = client.KINDS[kind]
    return f"{plural}.{group}" if group else plural


def test_an_environment_may_do_all_that_a_release_is_asked_for_on_a_cluster_of_somebody_elses() -> None:
    missing = [
        (verb, resource)
        for group, resource, verbs in (*NEEDED, *NEEDED_BY_DATABASE)
        for verb in verbs
        if not allowed(verb, f"{resource}.{group}" if group else resource)
    ]
    assert missing == []


# What the administrator applies, and the Ingress, which only AWS has.
OTHERS = {"roles/namespace/templates/namespace.yaml.j2", "roles/namespace/templates/access.yaml.j2"}


def test_an_environment_may_apply_and_prune_each_kind_of_object_that_its_roles_declare() -> None:
    declared, pruned = set(), set()
    for role in ("app", "cache", "config", "database", "namespace"):
        for path in sorted(PROJECT.glob(f"roles/{role}/templates/*.j2")):
            if str(path.relative_to(PROJECT)) not in OTHERS:
                declared |= set(re.findall(r"(?m)^ *kind: ([A-Z]\w+)$", path.read_text(encoding="utf-8")))
        for path in PROJECT.glob(f"roles/{role}/tasks/*.yml"):
            pruned |= {
                kind for found in re.findall(r"k8s_prune:\n(?: .*\n)*? +kinds: \[([\w, ]+)\]", path.read_text(encoding="utf-8")) for kind in found.split(", ")
            }
    assert {"Deployment", "Job", "StatefulSet"} <= declared and {"Deployment", "Secret"} <= pruned  # else nothing was found to be looked at
    missing = [(verb, kind) for kind in sorted(declared - {"List"}) for verb in ("get", "create", "patch") if not allowed(verb, of_kind(kind))]
    assert missing + [(verb, kind) for kind in sorted(pruned) for verb in ("list", "delete") if not allowed(verb, of_kind(kind))] == []


@pytest.mark.parametrize(
    ("verb", "resource", "name"),
    [
        ("patch", "namespaces", "polls-dev"),  # its labels keep pods restricted
        ("delete", "namespaces", "polls-dev"),
        ("get", "namespaces", "polls-prod"),
        ("create", "serviceaccounts", ""),
        ("create", "serviceaccounts/token", ""),
        ("create", "roles.rbac.authorization.k8s.io", ""),
        ("patch", "roles.rbac.authorization.k8s.io", "berth"),
        ("create", "rolebindings.rbac.authorization.k8s.io", ""),
        ("create", "pods", ""),
        ("create", "pods/ephemeralcontainers", ""),
        ("create", "ingresses.networking.k8s.io", ""),
        ("delete", "persistentvolumeclaims", ""),
    ],
)
def test_an_environment_may_not_free_itself_of_its_namespace(verb: str, resource: str, name: str) -> None:
    assert not allowed(verb, resource, name)


def test_no_rule_is_of_everything() -> None:
    assert [rule for rule in namespace_rules("polls-dev") if "*" in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]] == []


@pytest.mark.parametrize("environment", ["dev", "polls-prod-2", "Dev", "dev_", "prod.example.com", "prod_eu", "x" * 80, "Überall", "_"])
def test_each_environment_has_an_account_of_a_name_that_kubernetes_takes(environment: str) -> None:
    name = credential_lib.account_name(environment)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    others = {credential_lib.account_name(each) for each in ("dev", "prod-eu", "prod-example-com", "x" * 50)} - {environment}
    assert name not in others


# --- When its kubeconfig is due --------------------------------------------------
OWN = credential_lib.kubeconfig(ADMINISTRATOR, ACCOUNT, token())
OTHER = Account("berth-accounts", "shop")
ELSEWHERE = {"clusters": [{"name": "berth", "cluster": {"server": "https://192.0.2.7:6443"}}]}


@pytest.mark.parametrize(
    ("document", "mode", "at", "reason"),
    [
        (OWN, 0o600, NOW, ""),
        (OWN, 0o600, NOW + 243 * DAY, ""),
        (OWN, 0o600, NOW + 244 * DAY, "less than a third of its lifetime was left"),
        (OWN, 0o600, NOW + 366 * DAY, "it had expired"),
        (OWN, 0o644, NOW, "others could read it"),
        (ADMINISTRATOR, 0o600, NOW, "it was an administrator's"),
        (credential_lib.kubeconfig(ADMINISTRATOR, OTHER, token(OTHER)), 0o600, NOW, "it was another account's"),
        (credential_lib.kubeconfig(ADMINISTRATOR, ACCOUNT, "no.token"), 0o600, NOW, "it was another account's"),
        (credential_lib.kubeconfig(ELSEWHERE, ACCOUNT, token()), 0o600, NOW, "it pointed elsewhere"),
        (credential_lib.kubeconfig(ADMINISTRATOR, OTHER, token()), 0o600, NOW, "it pointed elsewhere"),
        (credential_lib.kubeconfig(ADMINISTRATOR, ACCOUNT, token(days=3650)), 0o600, NOW, "it was valid for longer than allowed"),
        (credential_lib.kubeconfig(ADMINISTRATOR, ACCOUNT, token(exp=None)), 0o600, NOW, "it had expired"),
        ("", 0o600, NOW, "there is none"),
        ("a: [", 0o600, NOW, "there is none"),
        ("- 1", 0o600, NOW, "it was an administrator's"),
        (None, 0o600, NOW, "there is none"),
    ],
)
def test_a_kubeconfig_is_written_when_what_is_there_will_not_do(tmp_path: Path, document: Any, mode: int, at: float, reason: str) -> None:
    path = tmp_path / "kubeconfig"
    if document is not None:
        written(path, document, mode)
    assert credential_lib.due(path, ADMINISTRATOR, ACCOUNT, 365, at) == reason


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "a.e30", "a.W10.b", "a.bnVsbA.b", "..", "a.\u00e4.b"])
def test_what_is_no_token_says_nothing_of_itself(text: str) -> None:
    assert credential_lib.claims(text) == {} and credential_lib.end_of(text) == 0


# --- How it is provided -----------------------------------------------------------
@pytest.fixture
def api() -> Iterator[Api]:
    """Run an API server that gives tokens."""
    with running(Api()) as server:
        server.answers |= {UID: (200, {"metadata": {"uid": "1"}}), TOKEN: (201, {"status": {"token": token(begins=time.time())}})}
        yield server


@pytest.fixture
def administrator(api: Api, tmp_path: Path) -> Path:
    """Return the administrator's kubeconfig."""
    (tmp_path / "root").mkdir()
    return Path(kubeconfig(tmp_path / "root", api.url))


def test_an_administrators_kubeconfig_of_before_is_replaced_once_by_a_token_that_its_owner_alone_reads(api: Api, administrator: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "kubeconfig", ADMINISTRATOR, 0o644)
    assert credential.provide(path, administrator, ACCOUNT, 365) == "it was an administrator's"
    document = yaml.safe_load(path.read_text())
    assert [set(each["user"]) for each in document["users"]] == [{"token"}] and path.stat().st_mode & 0o777 == 0o600
    assert "client-key" not in path.read_text()
    (asked,) = [json.loads(body) for method, where, _, body in api.seen if where == TOKEN]
    assert asked["spec"] == {"expirationSeconds": 365 * DAY}
    assert credential.provide(path, administrator, ACCOUNT, 365) == "", "the second time there is nothing to do"
    assert len([where for _, where, *_ in api.seen if where == TOKEN]) == 1


def test_a_token_that_was_taken_back_is_replaced(api: Api, administrator: Path, tmp_path: Path) -> None:
    credential.provide(tmp_path / "kubeconfig", administrator, ACCOUNT, 365)
    api.queue.append((401, {"message": "Unauthorized"}))
    assert credential.provide(tmp_path / "kubeconfig", administrator, ACCOUNT, 365) == "the API server no longer accepted it"


@pytest.mark.parametrize("made", [True, False])
def test_a_check_writes_nothing_and_needs_no_cluster(api: Api, administrator: Path, tmp_path: Path, made: bool) -> None:
    administrator = administrator if made else tmp_path / "nobody.conf"
    assert credential.provide(tmp_path / "kubeconfig", administrator, ACCOUNT, 365, check=True) == "there is none"
    assert not (tmp_path / "kubeconfig").exists() and not api.seen


def test_a_check_passes_while_the_cluster_stands_still(tmp_path: Path) -> None:
    document = {"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}]}
    (tmp_path / "root").mkdir()
    admin = written(tmp_path / "root" / "admin.conf", document)
    path = written(tmp_path / "kubeconfig", credential_lib.kubeconfig(document, ACCOUNT, token(begins=time.time())))
    assert credential.provide(path, admin, ACCOUNT, 365, check=True) == ""
    with pytest.raises(Unreachable):
        credential.provide(path, admin, ACCOUNT, 365)


def test_without_a_token_the_kubeconfig_of_before_stays_and_the_reason_is_said(api: Api, administrator: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "kubeconfig", ADMINISTRATOR)
    api.answers[TOKEN] = (404, {"message": 'serviceaccounts "dev" not found'})
    with pytest.raises(KubeError, match='issues no token for the ServiceAccount dev in namespace berth-accounts: serviceaccounts "dev" not found'):
        credential.provide(path, administrator, ACCOUNT, 365)
    assert yaml.safe_load(path.read_text()) == ADMINISTRATOR


def test_without_the_administrators_kubeconfig_the_run_says_who_may_go_on(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="Run again as root"):
        credential.provide(tmp_path / "kubeconfig", tmp_path / "admin.conf", ACCOUNT, 365)
