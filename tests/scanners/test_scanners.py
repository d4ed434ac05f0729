"""What kube-score and checkov find in the objects that Berth applies: each finding is answered in docs/security.md, and each answer is still needed.

Both are looked for on the PATH: kube-score is one program (github.com/zegl/kube-score), checkov a Python package, best in an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import ansible_fork
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.image.project import read_project
from ansible_collections.berth.platform.plugins.module_utils.image.project_dockerfile import dockerfile
from ansible_collections.berth.platform.plugins.module_utils.kube.apply import flatten
from ansible_collections.berth.platform.plugins.module_utils.kube.client import CLUSTER_SCOPED
from programs import needs

ROOT = Path(__file__).resolve().parents[2]
Finding = tuple[str, str]
"""The name of a check, and the object, as ``Deployment/polls``."""

APP = "namespace config database app"
# By the directory of an inventory: roles whose objects it has, and which of their templates it does without.
INVENTORIES = {
    "tests/inventories/valid": (f"{APP} cache kubeadm", r"external|login"),
    "inventories/dev": (f"{APP} kubeadm", r"external|login|autoscaler|pull-secret"),
    "inventories/prod": (f"{APP} entry eks", r"database/.*(statefulset|service|configmap)|autoscaler|access|pull-secret"),
}
NO_OBJECTS = re.compile(r"kubeadm/templates/(audit|init|authentication)|kubeconfig")

EVERY, ROUTER, DATABASE, CACHE, PROBE = ".*", "DaemonSet/kube-router", "StatefulSet/database", "Deployment/cache", "Job/network-policy-probe"
ADD_ON = f"{ROUTER}|Deployment/(metrics-server|local-path-provisioner)"
WEB, PROCESS = "Deployment/(polls|an-app-.*-1)", "Deployment/an-app-.*-1-(beat|worker-2)"
# In which objects a check may find something, by its name. The reasons are in docs/security.md.
KUBE_SCORE = {
    "container-ephemeral-storage-request-and-limit": EVERY,
    "container-image-pull-policy": EVERY,
    "container-resources": f"{ADD_ON}|{PROBE}",
    "container-security-context-readonlyrootfilesystem": ROUTER,
    "container-security-context-user-group-id": f"{ROUTER}|{DATABASE}",
    "deployment-has-host-podantiaffinity": f"{WEB}|{PROCESS}",
    "deployment-replicas": f"{CACHE}|Deployment/metrics-server",
    "deployment-strategy": CACHE,
    "horizontalpodautoscaler-replicas": "HorizontalPodAutoscaler/an-app-.*",
    "networkpolicy-targets-pod": "NetworkPolicy/allow-database-from-app",
    "pod-networkpolicy": ADD_ON,
    "pod-probes-identical": f"{CACHE}|{WEB}",
    "service-type": "Service/(polls|an-app-.*)",
    "statefulset-has-servicename": DATABASE,
}
CHECKOV = {
    "CKV_K8S_8": f"{ROUTER}|Deployment/local-path-provisioner|{PROCESS}",
    "CKV_K8S_9": f"{ROUTER}|Deployment/local-path-provisioner|{PROCESS}",
    "CKV_K8S_10": PROBE,
    "CKV_K8S_11": EVERY,
    "CKV_K8S_12": PROBE,
    "CKV_K8S_13": f"{ADD_ON}|{PROBE}",
    "CKV_K8S_15": f"{ADD_ON}|{DATABASE}|{CACHE}|{WEB}",
    "CKV_K8S_19": ROUTER,
    "CKV_K8S_22": ROUTER,
    "CKV_K8S_23": ROUTER,
    "CKV_K8S_25": ROUTER,
    "CKV_K8S_35": EVERY,
    "CKV_K8S_38": ADD_ON,
    "CKV_K8S_40": f"{ROUTER}|{DATABASE}",
    "CKV_K8S_43": f"{ADD_ON}|{DATABASE}|{CACHE}|{WEB}",
}
CHECKOV_FILES = {"CKV_DOCKER_2": EVERY, "CKV_DOCKER_7": EVERY}


def render(inventory: str, place: Path) -> Path:
    """Return a file with the objects that the roles make of an inventory."""
    roles, without = INVENTORIES[inventory]
    templates = [str(path) for role in roles.split() for path in sorted((ROOT / "roles" / role / "templates").rglob("*.yaml.j2"))]
    templates = [path for path in templates if not re.search(without, path) and not NO_OBJECTS.search(path)]
    # Lookups find the roles' files beside the play.
    (place / "files").mkdir()
    for path in (path for role in roles.split() for path in (ROOT / "roles" / role / "files").glob("*")):
        (place / "files" / path.name).symlink_to(path)
    shutil.copy(Path(__file__).with_name("render.yml"), place)
    given = {"roles_directory": f"{ROOT}/roles", "scanned_roles": roles.split(), "templates": templates, "rendered": f"{place}/rendered.json"}
    made_up = {"berth_secrets_directory": f"{place}/secrets", "vault_django_secret_key": "made-up", "vault_database_password": "made-up"}
    command = ["ansible-playbook", f"{place}/render.yml", "-i", str(ROOT / inventory), "-e", json.dumps(given | made_up)]
    done = ansible_fork.run(command, cwd=place, env=os.environ | {"BERTH_RUN": "test"})
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((place / "rendered.json").read_text(encoding="utf-8"))
    objects = [thing for text in made["objects"] for thing in flatten(list(yaml.safe_load_all(text)))]
    for thing in (each for each in objects if each["kind"] not in CLUSTER_SCOPED):
        thing["metadata"].setdefault("namespace", made["namespace"])
    (place / "objects.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    return place / "objects.yaml"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a file with the objects of each inventory."""
    return [render(inventory, tmp_path_factory.mktemp("objects")) for inventory in INVENTORIES]


def answer(*command: str) -> Any:
    """Return what a scanner says, in JSON."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"{command[0]} ended with {done.returncode} and no JSON: {done.stdout[-500:]}{done.stderr[-500:]}")


def held(found: set[Finding], answered: dict[str, str]) -> None:
    """Fail where a finding has no answer, or an answer no finding."""
    without = sorted(f"{check}: {thing}" for check, thing in found if not re.fullmatch(answered.get(check, "(?!)"), thing))
    assert not without, "mend these, or answer them in docs/security.md and here:\n" + "\n".join(without)
    needless = answered.keys() - {check for check, _ in found}
    assert not needless, f"these are found no more, so take them out of docs/security.md and from here: {', '.join(sorted(needless))}"


@needs("kube-score")
def test_all_that_kube_score_finds_is_answered(files: list[Path]) -> None:
    """Limits of CPU are not asked for: the answer to checkov's CKV_K8S_11."""
    found = set()
    for file in files:
        for thing in answer("kube-score", "score", "--ignore-container-cpu-limit", "--output-format", "json", str(file)):
            title = f"{thing['type_meta']['kind']}/{thing['object_meta']['name']}"
            found |= {(check["check"]["id"], title) for check in thing["checks"] if not check["skipped"] and check["grade"] < 10}
    held(found, KUBE_SCORE)


@needs("checkov")
def test_all_that_checkov_finds_is_answered(files: list[Path]) -> None:
    found = set()
    for file in files:
        failed = answer("checkov", "--framework", "kubernetes", "--skip-download", "--output", "json", "--file", str(file))["results"]["failed_checks"]
        found |= {(each["check_id"], re.sub(r"\..*\.", "/", each["resource"])) for each in failed}
    held(found, CHECKOV)


@needs("checkov")
def test_all_that_checkov_finds_in_dockerfiles_and_workflows_is_answered(tmp_path: Path) -> None:
    """The example's Dockerfile and the one that Berth makes of the same project; this project's own workflows, and those for a project."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made/Dockerfile").write_text(dockerfile(read_project(ROOT / "app", "", "")), encoding="utf-8")
    workflows = tmp_path / ".github/workflows"
    workflows.mkdir(parents=True)
    copies = {ROOT / "Dockerfile": tmp_path, ROOT / ".github/workflows/ci.yml": workflows, ROOT / "docs/ci/github.yml": workflows}
    for source, target in (copies | {ROOT / "docs/ci/gitlab-ci.yml": tmp_path / ".gitlab-ci.yml"}).items():
        shutil.copy(source, target)
    frameworks = ["dockerfile", "github_actions", "gitlab_ci"]
    parts = answer("checkov", "--framework", *frameworks, "--skip-download", "--output", "json", "--directory", str(tmp_path))
    assert sorted(part["check_type"] for part in parts) == frameworks
    held({(each["check_id"], each["resource"]) for part in parts for each in part["results"]["failed_checks"]}, CHECKOV_FILES)


def test_each_answer_is_in_the_page() -> None:
    page = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    assert [check for check in [*KUBE_SCORE, *CHECKOV, *CHECKOV_FILES] if not re.search(rf"\b{check}\b", page)] == []
