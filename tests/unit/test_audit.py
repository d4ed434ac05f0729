"""The audit: each fault is found and nothing else, what Berth makes has none, and what is said of a fault can be followed."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import ansible_fork
import fake_api
import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.audit import images, report, secrecy
from ansible_collections.berth.platform.plugins.module_utils.audit.check import SEVERITIES
from ansible_collections.berth.platform.plugins.module_utils.audit.live import KINDS, Live
from ansible_collections.berth.platform.plugins.module_utils.kube.apply import flatten
from ansible_collections.berth.platform.plugins.module_utils.kube.client import Forbidden, KubeError
from ansible_collections.berth.platform.plugins.module_utils.kube.existing import namespace_rules
from audit_objects import DATABASE, DIGEST, FAULTS, GONE, POD, SECRET, SHOP, WEB, Json, Place, beside, changed, container, environment, labels, made, running
from module_run import plugin
from role_options import options

audit = plugin("action/environment_audit.py")
PROJECT = Path(__file__).resolve().parents[2]
CHECKS = {each.name: each for each in report.CHECKS}


def live(objects: dict[Place, Json], unread: tuple[str, ...] = (), **more: Any) -> Live:
    """Return what an audit looks at, of an environment of which all kinds but ``unread`` could be read."""
    by_kind: dict[str, list[Json]] = {kind: [] for kind in KINDS if kind not in unread}
    for (kind, _), thing in objects.items():
        if kind in by_kind:
            by_kind[kind].append(thing)
    return Live(by_kind, **({"environment": "dev", "namespace": "shop-dev", "app": "shop"} | more))


def where(variable: str) -> str:
    """Return where an inventory sets a variable."""
    return f"inventories/dev/group_vars/all/main.yml:{len(variable)}"


def names(found: list[report.Finding]) -> set[str]:
    return {each.check for each in found}


# --- What is found -------------------------------------------------------------
def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert report.findings(live(environment()), where) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_nothing_else(fault: str) -> None:
    check, objects = FAULTS[fault]
    assert names(report.findings(live(objects), where)) == {check}


def test_there_is_a_fault_for_each_check() -> None:
    """Those of the namespace's and the cluster's own names have tests of their own."""
    assert {check for check, _ in FAULTS.values()} | {"default-namespace", "shared-cluster"} == set(CHECKS)


def test_what_runs_in_the_default_namespace_is_told() -> None:
    assert names(report.findings(live(environment(), namespace="default"), where)) == {"default-namespace"}


@pytest.mark.parametrize(
    ("mine", "others", "told"),
    [
        ("dev", ("kube-system", "shop-prod"), True),
        ("prod", ("shop-staging",), True),
        ("prod-eu", ("prod-us",), False),
        ("dev", ("staging", "qa"), False),
        ("prod", (), False),
        ("products", ("dev",), False),
    ],
)
def test_development_and_production_in_one_cluster_are_told(mine: str, others: tuple[str, ...], told: bool) -> None:
    found = report.findings(live(environment(), environment=mine, namespace="shop", others=others), where)
    assert names(found) == ({"shared-cluster"} if told else set())


@pytest.mark.parametrize("secret", [fault for fault, (check, _) in FAULTS.items() if check.startswith("secret")])
def test_a_secret_is_never_shown(secret: str) -> None:
    seen = live(FAULTS[secret][1])
    found = report.findings(seen, where)
    told = report.text(seen, found, {}) + repr(found)
    assert SECRET not in told and "AKIAABCD" not in told and "(not shown)" in told


@pytest.mark.parametrize("word", ["celery --token made-up-2 & exec gunicorn", "supervisord --password=made-up-2"])
def test_a_command_of_several_programs_is_not_shown_for_it_may_hold_a_secret(word: str) -> None:
    seen = live(changed(SHOP, (*WEB, "command"), ["sh", "-c", word]))
    assert "made-up-2" not in report.text(seen, report.findings(seen, where), {})


FINE: dict[str, dict[Place, Json]] = {
    "a LimitRange gives what a container does not say": beside(made("LimitRange", "shop", spec={"limits": [
        {"type": "Container", "default": {"cpu": "1", "memory": "256Mi"}, "defaultRequest": {"cpu": "50m", "memory": "64Mi"}}]}))
    | {SHOP: changed(SHOP, (*WEB, "resources"), {})[SHOP]},
    "a limit is the request where there is none": changed(SHOP, (*WEB, "resources"), {"limits": {"cpu": "1", "memory": "1Gi"}}),
    "a Job that has ended": beside(made("Job", "old", "old", spec={"template": {"spec": {"containers": [{"name": "old", "image": "old"}]}}},
        status={"conditions": [{"type": "Complete", "status": "True"}]})),
    "a pod that a controller made": beside({"kind": "Pod", "metadata": {"name": "x", "ownerReferences": [{"kind": "ReplicaSet", "name": "x"}]},
        "spec": {"containers": [{"name": "x", "image": "x"}]}}),
    "pods that an operator makes": {key: thing for key, thing in environment().items() if key != ("StatefulSet", "database")} | {
        ("Pod", "database-1"): {"kind": "Pod", "metadata": {"name": "database-1", "labels": labels("database"),
            "ownerReferences": [{"kind": "Cluster", "name": "database"}]},
            "spec": environment()["StatefulSet", "database"]["spec"]["template"]["spec"]}},
    "an account without a token": changed(SHOP, (*POD, "automountServiceAccountToken"), GONE) | running(token=False),
    "an account of the app's own": changed(
        SHOP, (*POD, "automountServiceAccountToken"), GONE, changed(SHOP, (*POD, "serviceAccountName"), "shop")) | running(token=True),
    "an Ingress that an annotation answers": beside(made("Ingress", "shop", spec={"tls": [{}], "defaultBackend": {
        "service": {"name": "closed", "port": {"name": "use-annotation"}}}})),
    "an Ingress whose certificate an annotation names": changed(("Ingress", "shop"), ("spec", "tls"), GONE, changed(
        ("Ingress", "shop"), ("metadata", "annotations"), {"alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x"})),
    "a capability to listen on port 80": changed(SHOP, (*WEB, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
    "pods kept apart by affinity": changed(
        SHOP, (*POD, "topologySpreadConstraints"), GONE, changed(SHOP, (*POD, "affinity"), {"podAntiAffinity": {"x": []}})),
    "one node": {key: thing for key, thing in changed(SHOP, (*POD, "topologySpreadConstraints"), GONE).items() if key != ("Node", "two")},
    "replicas that the autoscaler has changed since the apply": changed(SHOP, ("metadata", "annotations"), {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"apiVersion": "apps/v1", "spec": {"replicas": 7}})}),
    "a shell that tests twice, and redirects": changed(SHOP, (*WEB, "command"), ["sh", "-c", "migrate && serve 2>&1 'a?b=1&c=2'"]),
    "an option with the word of a shell": changed(SHOP, (*WEB, "args"), ["--title", "polls & votes"]),
    "a worker that nobody calls": changed(SHOP, (*WEB, "command"), ["serve"]) | {
        ("Deployment", "worker"): made("Deployment", "worker", "worker", spec={"selector": {"matchLabels": {"app.kubernetes.io/component": "worker"}},
            "template": {"metadata": {"labels": {"app.kubernetes.io/component": "worker"}},
                "spec": changed(SHOP, (*WEB,), container("worker"))[SHOP]["spec"]["template"]["spec"]}})},
}  # fmt: skip


@pytest.mark.parametrize("fine", FINE)
def test_what_is_no_fault_is_not_told(fine: str) -> None:
    assert report.findings(live(FINE[fine]), where) == []


# --- Names and shapes ----------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DATABASE_PASSWORD", "x1", True), ("PGPASSWORD", "x1", True), ("db_pass", "x1", True), ("smtp-password", "x1", True), ("apiKey", "x1", True),
        ("DJANGO_SECRET_KEY", "x1", True), ("SECRET_KEY_FALLBACKS", "x1", True), ("AUTH_TOKEN", "x1", True), ("AWS_SECRET_ACCESS_KEY", "x1", True),
        ("SIGNING_KEY_2", "x1", True), ("URL", "amqp://shop:x1@mq:5672//", True), ("X", f"ghp_{'a' * 36}", True),
        ("X", f"eyJ{'a' * 16}.eyJ{'a' * 16}.x1", True),
        ("env", "A=1\nexport API_TOKEN=abcdef\n", True), ("app.ini", "[mail]\npassword = abcdef\n", True), ("app.yaml", "mail:\n  password: abcdef\n", True),
        ("DSN", "host=db user=shop password=x1", True), ("app.ini", "[mail]\npassword = abcdef  # of the relay\n", True), ("PIN_TOKEN", "123456", True),
        ("MAX_TOKENS", "4096", False), ("DSN", "host=db password=$(PASSWORD)", False),
        ("DATABASE_PASSWORD", "", False), ("DATABASE_PASSWORD", "$(OTHER)", False), ("DATABASE_PASSWORD_FILE", "/run/secrets/x", False),
        ("PASSWORD_HASHERS", "argon2", False), ("TOKENIZER", "bert", False), ("KEYBOARD", "de", False), ("CSRF_COOKIE_NAME", "csrftoken", False),
        ("USE_TOKEN", "true", False), ("URL", "https://example.com:8443/a@b", False), ("URL", "postgres://shop@db/shop", False),
        ("password.sh", "read -r PASSWORD\npsql -v password=$PASSWORD\n", False), ("settings.py", 'SECRET_KEY = os.environ["SECRET_KEY"]\nDEBUG = 0\n', False),
        ("ca.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n", False),
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name_or_its_shape(name: str, value: str, secret: bool) -> None:
    assert secrecy.setting(name, value) == secret


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("polls", ("polls", "", "")),
        ("localhost:5000/polls", ("localhost:5000/polls", "", "")),
        ("localhost:5000/polls:1.0", ("localhost:5000/polls", "1.0", "")),
        (f"polls:1.0@{DIGEST}", ("polls", "1.0", DIGEST)),
        ("", ("", "", "")),
    ],
)
def test_an_images_reference_is_taken_apart(reference: str, parts: tuple[str, str, str]) -> None:
    assert images.parts(reference) == parts


# --- What is said --------------------------------------------------------------
MANAGED, MINE = {"app.kubernetes.io/managed-by": "berth"}, {"app.kubernetes.io/managed-by": "berth", "berth/own": "true"}


@pytest.mark.parametrize(
    ("check", "labels", "said"),
    [
        ("secret-in-configmap", MANAGED, "move it from berth_app_settings (inventories/dev/group_vars/all/main.yml:18) to berth_app_secrets "
         "(inventories/dev/group_vars/all/main.yml:17), run site.yml, and change the secret"),
        ("secret-in-configmap", MINE, "in the manifests of berth_app_objects (inventories/dev/group_vars/all/main.yml:17): put it into a Secret, "
         "and change the secret"),
        ("secret-in-configmap", {}, "put it into a Secret, and change the secret"),
    ],
)  # fmt: skip
def test_a_fault_is_mended_where_its_object_comes_from(check: str, labels: dict[str, str], said: str) -> None:
    objects = changed(("ConfigMap", "shop"), ("data",), {"PASSWORD": SECRET})
    objects["ConfigMap", "shop"]["metadata"]["labels"] = labels
    assert [(each.check, each.mend) for each in report.findings(live(objects), where)] == [(check, said)]


def test_what_berth_does_not_make_so_was_changed_since() -> None:
    objects = changed(SHOP, (*WEB, "securityContext", "privileged"), True)
    objects[SHOP]["metadata"]["labels"] |= MANAGED
    [found] = [each for each in report.findings(live(objects), where) if each.check == "privileged"]
    assert found.mend == "remove privileged: kubectl edit deployment shop. Berth creates it without this fault, so it has been changed since"


def test_a_check_names_variables_that_there_are() -> None:
    known = options("preflight")
    used = {variable for each in report.CHECKS for variable in report.variables(each)}
    used |= {variable for each in report.CHECKS for variable in re.findall(r"berth_\w+", each.field)}
    assert used and used <= known.keys()


@pytest.mark.parametrize("check", report.CHECKS, ids=lambda check: check.name)
def test_a_check_says_where_its_rule_is_from_and_what_it_does(check: Any) -> None:
    assert check.source.startswith("https://") and check.find.__doc__
    assert check.severity in SEVERITIES and set(check.needs) <= set(KINDS)
    assert not any(words.endswith(".") for words in (check.says, check.why, check.field, check.berth))


@pytest.mark.parametrize(("level", "failing"), [("error", 1), ("warning", 2), ("note", 3)])
def test_the_level_decides_what_fails(level: str, failing: int) -> None:
    found = [report.Finding("x", severity, "Pod x", "", "", "", "", "", "") for severity in SEVERITIES]
    assert len(report.failing(found, level)) == failing
    assert report.summary("dev", found) == "dev: 1 error, 1 warning, 1 note"


def test_a_finding_is_told_with_its_place_its_reason_and_its_way_out() -> None:
    seen = live(FAULTS["no readiness probe"][1])
    assert report.text(seen, report.findings(seen, where), {}).splitlines() == [
        "dev: 1 error",
        "",
        "         Checked 12 objects in the namespace shop-dev with 53 checks.",
        "",
        "error    readiness: it has no readiness probe",
        "         Deployment shop, spec.template.spec.containers[web].readinessProbe is not set",
        "  why    visitors are sent to pods that have not started, or cannot reach their",
        "         database.",
        "  do     set readinessProbe.",
    ]


def test_findings_that_are_mended_alike_are_told_together() -> None:
    objects = {SHOP: changed(SHOP, (*WEB, "livenessProbe"), GONE)[SHOP], DATABASE: changed(DATABASE, (*WEB, "livenessProbe"), GONE)[DATABASE]}
    seen = live(environment() | objects)
    told = report.text(seen, report.findings(seen, where), {})
    assert told.count("liveness: ") == told.count("  why ") == 1
    assert "Deployment shop, " in told and "StatefulSet database, " in told


def test_an_environment_in_which_nothing_runs_is_not_called_faultless() -> None:
    assert "Nothing runs in the namespace shop-dev" in report.text(live({}), [], {})


# --- What may not be read ------------------------------------------------------
def test_what_cannot_be_judged_is_not_guessed_but_told() -> None:
    objects = {key: thing for key, thing in environment().items() if key[0] not in ("Service", "LimitRange")}
    objects[SHOP] = changed(SHOP, (*WEB, "resources"), {})[SHOP]
    seen = live(objects, unread=("Service", "LimitRange"))
    assert report.findings(seen, where) == []
    told = " ".join(report.text(seen, [], {"LimitRange": "LimitRange objects: this user may not list them"}).split())
    assert "not read LimitRange objects: this user may not list them, so not checked: requests, memory-limit" in told


@pytest.mark.parametrize("kind", sorted(set(KINDS)))
def test_no_kind_is_needed_to_look_at_the_others(kind: str) -> None:
    assert report.findings(live(environment(), unread=(kind,)), where) == []


class Reading:
    """An API server that refuses some kinds."""

    def __init__(self, refused: tuple[str, ...] = (), down: bool = False) -> None:
        self.refused, self.down, self.asked = refused, down, []  # type: ignore[var-annotated]

    def items(self, kind: str, namespace: str, **_: Any) -> list[Json]:
        """Return the objects of a kind."""
        self.asked.append(kind)
        if self.down:
            raise KubeError("The API server does not answer")
        if kind in self.refused:
            raise Forbidden("no")
        return [{"kind": kind, "metadata": {"name": "prod" if namespace == "" else "x"}}]

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return one object."""
        return self.items(kind, namespace)[0]


def test_a_kind_that_may_not_be_listed_is_left_out_and_named() -> None:
    found, unread = audit.read(Reading(("Ingress", "Namespace")), "shop-dev")
    assert set(KINDS) - set(found) == {"Ingress", "Namespace"} == set(unread)
    assert unread["Namespace"] == "the namespace shop-dev itself: this user may not get it"


def test_the_audit_names_the_line_of_the_inventory_that_mends_what_berth_made(tmp_path: Path) -> None:
    """As Ansible runs it, with an account that may not list limit ranges."""
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("berth_app_settings:\n  STRIPE_SECRET_KEY: x\n", encoding="utf-8")
    (tmp_path / "hosts.yml").write_text("berth: {hosts: {dev: {ansible_connection: local}}}", encoding="utf-8")
    objects = changed(("ConfigMap", "shop"), ("data",), {"STRIPE_SECRET_KEY": SECRET})
    objects["ConfigMap", "shop"]["metadata"]["labels"] = MANAGED
    path_of = plugin("module_utils/kube/client.py").path_of
    with fake_api.running(fake_api.Api()) as api:
        api.answers = {path_of(kind, "shop-dev"): (200, {"items": [thing for (each, _), thing in objects.items() if each == kind]}) for kind in KINDS}
        api.answers |= {path_of("LimitRange", "shop-dev"): (403, {}), path_of("Namespace", "", "shop-dev"): (200, objects["Namespace", "shop-dev"])}
        given = {"environment": "dev", "cluster": {"provider": "kubeadm"}, "kubeconfig": fake_api.kubeconfig(tmp_path, api.url), "namespace": "shop-dev"}
        command = ["ansible", "dev", "-i", str(tmp_path / "hosts.yml"), "-m", "berth.platform.environment_audit", "-a", json.dumps(given | {"app": "shop"})]
        settings = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "true", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.oneline"}
        ran = ansible_fork.run(command, cwd=PROJECT, env=os.environ | settings)
        assert {method for method, *_ in api.seen} == {"GET"}
    told = json.loads(ran.stdout[ran.stdout.index("{") :])
    [found] = told["findings"]
    assert (told["failing"], found["check"]) == (1, "secret-in-configmap")
    assert re.search(r"from berth_app_settings \(\S*group_vars/all.yml:1\) to berth_app_secrets \(\S*group_vars/all.yml\)", found["mend"])
    assert "LimitRange objects: this user may not list them" in told["text"] and SECRET not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("facts", "refused", "others", "noted"),
    [
        ({"provider": "kubeadm", "shared_with": ["prod"]}, ("Namespace",), ("prod",), False),
        ({"provider": "eks", "shared_with": []}, ("Namespace",), (), False),
        ({"provider": "existing"}, (), ("prod",), False),
        ({"provider": "existing"}, ("Namespace",), (), True),
    ],
)
def test_who_shares_the_cluster_is_known_or_said_to_be_unknown(facts: Json, refused: tuple[str, ...], others: tuple[str, ...], noted: bool) -> None:
    unread: dict[str, str] = {}
    assert audit.others(Reading(refused), facts, unread) == others
    assert bool(unread) == noted


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"Namespace", "Node"}))
def test_an_environments_own_account_may_read_what_an_audit_looks_at(kind: str) -> None:
    """The nodes by the rights of all accounts (roles/kubeadm), the namespace by its name."""
    _, plural, group = plugin("module_utils/kube/client.py").KINDS[kind]
    assert any(plural in rule["resources"] and group in rule["apiGroups"] and "list" in rule["verbs"] for rule in namespace_rules("shop-dev"))


# --- What Berth makes ----------------------------------------------------------
ROLES = ("namespace", "config", "database", "cache", "app")
FACTS = {
    "berth_namespace": "polls-dev",
    "berth_app_name": "polls",
    "berth_database_password": "made-up",
    "berth_app_secrets": {"DJANGO_SECRET_KEY": "made-up"},
    "berth_app_processes": {"worker": {"command": ["celery", "worker"], "replicas": 2}, "beat": {"command": ["celery", "beat"], "singleton": True}},
    "berth_app_volumes": {"media": {"path": "/srv/media", "size": "1Gi", "url": "/media/"}},
    "berth_app_static": {"path": "/srv/static", "url": "/static/"},
    "berth_app_autoscaling": {"min": 2, "max": 4, "cpu": 80},
    "berth_cache": "cluster",
    "cluster_facts": {"provider": "kubeadm", "app_address": "127.0.0.1", "pod_networks": ["10.244.0.0/16"], "network_policy_inputs": []},
    "image_facts": {"ref": f"localhost:5001/polls@{DIGEST}", "tag": "0123456789ab", "repository": "localhost:5001/polls"},
    "artifacts_facts": {"refs": {"postgres": "docker.io/library/postgres:17", "valkey": "docker.io/valkey/valkey:8",
                                 "nginx": "docker.io/nginxinc/nginx-unprivileged:1.28"}},
    "config_facts": {"configmap": "polls-1", "secret": "polls-1"},
    "database_facts": {"host": "database", "port": 5432, "name": "polls", "user": "polls", "sslmode": "verify-full", "secret": "database-login-1",
                       "authority": {"config_map": "database-authority-1", "path": "/etc/berth/database/ca.pem"}},
    "__database_certificate": {"authority": "PEM"},
    "__app_places": {"results": []},
}  # fmt: skip
# What a release is made of besides: Secrets are not looked at, and the others need a database elsewhere or what a run has read.
LEFT_OUT = re.compile(r"secret|external|own-kinds|authority|login|access")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[Place, Json]:
    """Return the objects that the roles make, rendered by Ansible in one task."""
    place = tmp_path_factory.mktemp("rendered")
    (place / "files").mkdir()
    for path in (path for role in ROLES for path in (PROJECT / "roles" / role / "files").glob("*")):
        (place / "files" / path.name).symlink_to(path)
    templates = [str(path) for role in ROLES for path in sorted((PROJECT / "roles" / role / "templates").glob("*.yaml.j2")) if not LEFT_OUT.search(path.name)]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(PROJECT / "roles" / role / part / "main.yml") for role in ROLES for part in ("defaults", "vars")],
        "vars": FACTS | {"berth_kubeconfig": f"{place}/kubeconfig", "berth_secrets_directory": f"{place}/secrets", "templates": templates},
        "tasks": [{"ansible.builtin.copy": {
            "content": "{{ query('ansible.builtin.template', *templates) | to_json }}", "dest": f"{place}/rendered.json", "mode": "0600"}}],
    }  # fmt: skip
    (place / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    done = ansible_fork.run(["ansible-playbook", str(place / "play.yml")], cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    texts = json.loads((place / "rendered.json").read_text(encoding="utf-8"))
    found = [thing for text in texts for thing in flatten(list(yaml.safe_load_all(text)))]
    nodes = [{"kind": "Node", "metadata": {"name": name}} for name in ("one", "two")]
    return {(each["kind"], each["metadata"]["name"]): each for each in [*found, *nodes]}


def test_nothing_is_found_in_what_berth_makes(rendered: dict[Place, Json]) -> None:
    found = report.findings(live(rendered, environment="dev", namespace="polls-dev", app="polls", provider="kubeadm"), where)
    assert found == []
    kinds = {kind for kind, _ in rendered}
    assert {"Deployment", "StatefulSet", "Job", "CronJob", "Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "ConfigMap"} <= kinds
    assert {name for kind, name in rendered if kind == "Deployment"} == {"polls", "polls-worker", "polls-beat", "cache"}


def pods_of(objects: dict[Place, Json]) -> dict[str, Json]:
    """Return the pods' specifications by the names of what makes them."""
    made = {name: thing["spec"] for (kind, name), thing in objects.items() if kind in ("Deployment", "StatefulSet", "Job", "CronJob")}
    return {name: spec.get("jobTemplate", {}).get("spec", spec)["template"]["spec"] for name, spec in made.items()}


def test_no_pod_has_the_number_of_a_user_or_group_of_the_nodes_own_but_the_database(rendered: dict[Place, Json]) -> None:
    contexts = {name: pod["securityContext"] for name, pod in pods_of(rendered).items()}
    assert {name for name, context in contexts.items() if min(context["runAsUser"], context["runAsGroup"]) < 10000} == {"database"}


def test_what_a_pod_writes_beside_its_volumes_has_a_limit(rendered: dict[Place, Json]) -> None:
    """Else it could fill its node: the root file systems are read-only."""
    directories = [volume["emptyDir"] for pod in pods_of(rendered).values() for volume in pod.get("volumes", []) if "emptyDir" in volume]
    assert directories
    assert all("sizeLimit" in each for each in directories)


def test_a_secret_among_the_settings_of_an_inventory_is_found(rendered: dict[Place, Json]) -> None:
    [settings] = [thing for (kind, name), thing in rendered.items() if kind == "ConfigMap" and name == "polls-1"]
    objects = rendered | {("ConfigMap", "polls-1"): settings | {"data": settings["data"] | {"STRIPE_SECRET_KEY": SECRET}}}
    found = report.findings(live(objects, namespace="polls-dev", app="polls", provider="kubeadm"), where)
    assert [(each.check, each.object, each.path) for each in found] == [("secret-in-configmap", "ConfigMap polls-1", "data[STRIPE_SECRET_KEY]")]
