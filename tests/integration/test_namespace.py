"""The namespace role refuses what is not the app's, and needs no cluster to say what it would do."""

from __future__ import annotations

import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible_fork
import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.berth.platform.plugins.module_utils.kube.client import KubeError
from ansible_collections.berth.platform.plugins.modules import k8s_namespace_info
from fake_api import EMPTIED, Api, running
from fake_api import kubeconfig as kubeconfig_of
from module_run import plugin

short_hash = plugin("filter/objects.py").short_hash
Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
ACTIVE = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "berth"}}, "status": {"phase": "Active"}}
TERMINATING = {
    "metadata": {},
    "status": {
        "phase": "Terminating",
        "conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources discovered"},
            {
                "type": "NamespaceContentRemaining",
                "status": "True",
                "message": "Some resources are remaining: pods. has 1 resource instances",
            },
        ],
    },
}


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """Write a kubeconfig for an API server that nobody runs and return its path."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that takes the API server's answers, each a status and an object; the last one stays."""

    def answer(*given: tuple[int, Json]) -> None:
        queue = list(given)

        def send(_cluster: object, _method: str, _path: str, _body: None) -> SimpleNamespace:
            status, body = queue.pop(0) if len(queue) > 1 else queue[0]
            return SimpleNamespace(status=status, data=json.dumps(body).encode())

        monkeypatch.setattr(k8s_namespace_info.Namespaces, "_send", send)
        monkeypatch.setattr(k8s_namespace_info.time, "sleep", lambda _seconds: None)

    return answer


def run_module(capsys: pytest.CaptureFixture[str], **options: Any) -> Json:
    """Run the module as Ansible does and return its answer."""
    with patch_module_args(options), pytest.raises(SystemExit):
        k8s_namespace_info.main()
    return json.loads(capsys.readouterr().out)


def test_a_namespace_comes_with_its_phase_and_labels(kubeconfig: str, answers: Callable[..., None]) -> None:
    answers((200, ACTIVE))
    found = k8s_namespace_info.answer(kubeconfig, "polls-dev")
    assert (found["reachable"], found["exists"], found["phase"]) == (True, True, "Active")
    assert found["labels"] == {"app.kubernetes.io/managed-by": "berth"}


def test_a_namespace_that_is_not_there_is_an_answer(kubeconfig: str, answers: Callable[..., None]) -> None:
    answers((404, {}))
    found = k8s_namespace_info.answer(kubeconfig, "polls-dev")
    assert (found["reachable"], found["exists"]) == (True, False)


@pytest.mark.parametrize("status", [429, 503])
def test_an_api_server_that_is_not_ready_is_not_reachable(status: int, kubeconfig: str, answers: Callable[..., None]) -> None:
    answers((status, {}))
    found = k8s_namespace_info.answer(kubeconfig, "polls-dev")
    assert (found["reachable"], found["exists"]) == (False, False)
    assert f"answers {status}" in found["reason"]


def test_an_api_server_that_does_not_run_is_not_reachable(kubeconfig: str) -> None:
    found = k8s_namespace_info.answer(kubeconfig, "polls-dev")
    assert (found["reachable"], found["exists"]) == (False, False)
    assert "does not answer" in found["reason"]
    assert "playbooks/cluster.yml" in found["reason"]


def test_a_user_without_the_right_is_told_which_one(kubeconfig: str, answers: Callable[..., None]) -> None:
    answers((403, {}))
    with pytest.raises(KubeError, match=r"berth_kubeconfig.* 403.* verb get on namespaces"):
        k8s_namespace_info.answer(kubeconfig, "polls-dev")


def test_a_file_that_is_no_kubeconfig_fails_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("hello:\n", encoding="utf-8")
    with pytest.raises(KubeError, match=str(path)):
        k8s_namespace_info.answer(str(path), "polls-dev")


def test_the_wait_ends_when_the_namespace_is_gone(kubeconfig: str, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    answers((200, TERMINATING), (200, TERMINATING), (404, {}))
    answer = run_module(capsys, kubeconfig=kubeconfig, name="polls-dev", wait_absent=60)
    assert (answer.get("failed", False), answer["exists"]) == (False, False)


def test_a_namespace_that_stays_fails_with_what_is_in_the_way(
    kubeconfig: str,
    answers: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers((200, TERMINATING))
    clock: Iterator[int] = iter(range(1000))
    monkeypatch.setattr(k8s_namespace_info.time, "monotonic", lambda: next(clock))
    answer = run_module(capsys, kubeconfig=kubeconfig, name="polls-dev", wait_absent=30)
    assert answer["failed"]
    assert answer["msg"] == ("The namespace polls-dev is still there after 30 seconds: Some resources are remaining: pods. has 1 resource instances.")


# --- The role, as it behaves without any cluster -------------------------------


@pytest.fixture
def role(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Return a function that runs the role and returns its exit code and what it printed."""
    play = [
        {
            "name": "Run the role",
            "hosts": "berth",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Run the role",
                    "ansible.builtin.include_role": {"name": "namespace", "tasks_from": "{{ part }}"},
                },
                {"name": "Show the facts", "ansible.builtin.debug": {"var": "namespace_facts"}},
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    host = {"ansible_connection": "berth.platform.forked", "ansible_python_interpreter": sys.executable}
    inventory = {"berth": {"hosts": {"dev": host}}}
    (tmp_path / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    settings = {
        "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_PIPELINING": "true",
    }

    def run(*arguments: str, part: str = "main", **variables: Any) -> tuple[int, str]:
        cluster = {"provider": "kubeadm", "pod_networks": ["10.244.0.0/16"], "network_policy_inputs": "today"}
        given = {"part": part, "berth_namespace": "polls-dev", "berth_app_name": "polls", "cluster_facts": cluster} | variables
        given.setdefault("berth_kubeconfig", str(tmp_path / "nowhere"))
        account = {"namespace": "berth-accounts", "name": "dev"}
        given["cluster_facts"] = {"administrator": given["berth_kubeconfig"], "account": account} | given["cluster_facts"]
        command = ["ansible-playbook", "play.yml", "-i", "hosts.yml", "-e", json.dumps(given), *arguments]
        answer = ansible_fork.run(command, cwd=tmp_path, env=os.environ | settings)
        return answer.returncode, answer.stdout + answer.stderr

    return run


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
def test_a_namespace_of_kubernetes_itself_is_refused(namespace: str, tmp_path: Path, role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role(berth_namespace=namespace)
    assert code != 0
    assert f"berth_namespace is {namespace}, which belongs to Kubernetes" in printed
    assert f"{tmp_path}/group_vars/all/main.yml" in printed


def test_a_check_of_a_bare_machine_passes_and_says_what_would_be_made(role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role("--check", "--diff")
    assert code == 0, printed
    assert "+++ after: Namespace polls-dev" in printed
    assert "+++ after: NetworkPolicy default-deny" in printed
    assert "changed: [dev]" in printed
    rules, _, binding = printed.partition("+++ after: Role berth")[2].partition("+++ after: RoleBinding berth")
    assert "replicasets" in rules and "serviceaccounts" not in rules
    assert "namespace: berth-accounts" in binding.partition("+++ after")[0]


@pytest.mark.parametrize(("entry", "gated"), [("loadbalancer", True), ("none", False)])
def test_pods_are_ready_when_the_load_balancer_sends_them_requests(entry: str, gated: bool, role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role("--check", "--diff", berth_entry=entry)
    assert code == 0, printed
    assert ("eks.amazonaws.com/pod-readiness-gate-inject: enabled" in printed) == gated


def test_a_check_passes_while_the_cluster_stands_still(kubeconfig: str, role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role("--check", "--diff", berth_kubeconfig=kubeconfig, namespace_account={})
    assert code == 0, printed
    assert "+++ after: Namespace polls-dev" in printed
    assert "Role berth" not in printed, "where the kubeconfig's user has its rights from elsewhere"


def test_a_check_passes_while_the_kubeconfig_leads_nowhere_because_the_cluster_is_stopped(tmp_path: Path, role: Callable[..., tuple[int, str]]) -> None:
    (tmp_path / "kubeconfig").write_text(EMPTIED)
    code, printed = role("--check", "--diff", berth_kubeconfig=str(tmp_path / "kubeconfig"))
    assert code == 0, printed
    assert "+++ after: Namespace polls-dev" in printed


def test_a_run_without_a_cluster_names_the_playbook_that_makes_one(role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role()
    assert code != 0
    assert "(berth_kubeconfig): the environment was not created yet, or was destroyed. site.yml creates it." in printed


def test_a_removal_without_a_cluster_has_nothing_to_do(role: Callable[..., tuple[int, str]]) -> None:
    code, printed = role(part="absent")
    assert code == 0, printed
    assert "so no cluster yet" in printed


# --- Whether policies are enforced ---------------------------------------------
PROBE = "/apis/batch/v1/namespaces/polls-dev/jobs/network-policy-probe"
PROBING = {"namespace_probe_image": "polls:1", "namespace_probe_target": {"host": "database", "port": 5432}}
SAYINGS = ("This cluster does not enforce NetworkPolicies", "logs daemonset/kube-router", "Choose a network plugin that does")


def probe(condition: str, inputs: str = "today") -> Json:
    """Return the Job that has tried it, of a cluster with these inputs."""
    labels = {"app.kubernetes.io/managed-by": "berth", "app.kubernetes.io/component": "probe", "berth/inputs": short_hash(inputs)}
    labels |= {"app.kubernetes.io/name": "network-policy-probe", "app.kubernetes.io/instance": "polls"}
    return {"metadata": {"name": "network-policy-probe", "uid": "u-1", "labels": labels}, "status": {"conditions": [{"type": condition, "status": "True"}]}}


@pytest.mark.parametrize(
    ("condition", "provider", "said"),
    [("Failed", "kubeadm", SAYINGS[:2]), ("Failed", "existing", SAYINGS[::2]), ("Complete", "kubeadm", ()), ("Complete", "eks", ())],
)
def test_the_run_says_where_policies_are_without_effect(
    condition: str, provider: str, said: tuple[str, ...], tmp_path: Path, role: Callable[..., tuple[int, str]]
) -> None:
    cluster = {"provider": provider, "pod_networks": [], "network_policy_inputs": "today"}
    with running(Api()) as api:
        api.answers[PROBE] = 200, probe(condition)
        code, printed = role(part="probe", berth_kubeconfig=kubeconfig_of(tmp_path, api.url), cluster_facts=cluster, **PROBING)
        assert {method for method, *_ in api.seen} == {"GET"}
    assert code == 0, printed
    assert tuple(each for each in SAYINGS if each in printed) == said


def test_a_cluster_of_parts_that_enforce_policies_fails_the_run_where_it_does_not(tmp_path: Path, role: Callable[..., tuple[int, str]]) -> None:
    cluster = {"provider": "eks", "pod_networks": [], "network_policy_inputs": "today"}
    with running(Api()) as api:
        failed = probe("Failed")
        failed["status"]["conditions"] = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
        api.answers |= {PROBE: (200, failed), PROBE.rpartition("/")[0]: (200, {"items": [failed]})}
        printed = role(part="probe", berth_kubeconfig=kubeconfig_of(tmp_path, api.url), cluster_facts=cluster, namespace_timeout=1, **PROBING)
        asked = [(method, path.partition("?")[0]) for method, path, *_ in api.seen]
    assert printed[0] != 0
    assert ("DELETE", PROBE) in asked  # it is tried again rather than believed


class Ended(Api):
    """An API server that has a Job and nothing else."""

    def answer(self, path: str, body: str) -> tuple[int, Any]:
        """Return status and content of the answer to a request."""
        return self.answers.get(path, (200, {"items": []}))


@pytest.mark.parametrize(("provider", "code"), [("eks", 2), ("kubeadm", 0)])
def test_a_run_whose_own_probe_gets_through_ends_where_policies_should_hold(
    provider: str, code: int, tmp_path: Path, role: Callable[..., tuple[int, str]]
) -> None:
    failed = probe("Failed")
    failed["status"]["conditions"][0]["reason"] = "BackoffLimitExceeded"
    cluster = {"provider": provider, "pod_networks": [], "network_policy_inputs": "today"}
    begun = {"__namespace_probe": {"objects": []}}  # by the phase of the database, before there was an answer
    with running(Ended()) as api:
        api.answers[PROBE] = 200, failed
        ended, printed = role(part="probe", berth_kubeconfig=kubeconfig_of(tmp_path, api.url), cluster_facts=cluster, **begun, **PROBING)
    assert ended == code, printed
    assert "This cluster does not enforce NetworkPolicies" in printed


@pytest.mark.parametrize(
    ("answers", "code"),
    [("rr", 0), ("aarr", 0), ("ararr", 0), ("a" * 40, 1), ("a" * 29 + "rr", 0), ("a" * 31 + "rr", 1)],
    ids=["enforced", "late", "an accident", "not enforced", "at the last moment", "too late"],
)
def test_the_probe_waits_for_policies_that_are_on_their_way(answers: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its calls some get through (a) and some do not (r), a second apart; it has half a minute."""
    now, left = [0.0], list(answers)

    def call(_address: tuple[str, int], timeout: float) -> SimpleNamespace:
        if left.pop(0) == "r":
            raise TimeoutError
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(socket, "create_connection", call)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(sys, "argv", ["-c", "database", "5432", "30"])
    try:
        runpy.run_path(str(ROOT / "roles/namespace/files/probe.py"))
        ended = 0
    except SystemExit as end:
        ended = end.code
    assert ended == code


@pytest.mark.parametrize(("inputs", "forgotten"), [("yesterday", True), ("today", False)])
def test_the_answer_of_a_cluster_that_has_changed_since_is_asked_for_again(
    inputs: str, forgotten: bool, tmp_path: Path, role: Callable[..., tuple[int, str]]
) -> None:
    with running(Api()) as api:
        api.answers |= {PROBE: (200, probe("Failed", inputs)), PROBE.rpartition("/")[0]: (200, {"items": [probe("Failed", inputs)]})}
        role(part="probe_begin", berth_kubeconfig=kubeconfig_of(tmp_path, api.url), namespace_timeout=1, **PROBING)
        asked = [(method, path.partition("?")[0]) for method, path, *_ in api.seen]
    assert (("DELETE", PROBE) in asked) == forgotten
