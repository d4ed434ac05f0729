"""An environment in which an audit finds nothing, of objects as an API server of 1.36 returns them, and one fault each."""

from __future__ import annotations

import copy
import json
from typing import Any

Json = dict[str, Any]
Place = tuple[str, str]
"""An object's kind and name."""

DIGEST = "sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
SECRET = "tr0ub4dor-and-3"
"""Stands in every fault that is a secret, and is in no output."""
GONE = object()
"""The value of a field that is taken out."""
POD = ("spec", "template", "spec")
WEB = (*POD, "containers", 0)
SECURITY = (*WEB, "securityContext")
CRON = ("spec", "jobTemplate", "spec")
SHOP, DATABASE, NIGHTLY, SERVICE = ("Deployment", "shop"), ("StatefulSet", "database"), ("CronJob", "shop-nightly"), ("Service", "shop")
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def labels(component: str) -> dict[str, str]:
    """Return the labels of the app's objects."""
    return {"app.kubernetes.io/name": "shop", "app.kubernetes.io/component": component}


def container(name: str, image: str = f"registry.example.com/shop@{DIGEST}", **more: Any) -> Json:
    """Return a container without a fault."""
    return {
        "name": name,
        "image": image,
        "envFrom": [{"configMapRef": {"name": "shop"}}],
        "env": [{"name": "DATABASE_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "shop", "key": "password"}}}],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    } | more


def pod(component: str, *containers: Json, **more: Any) -> Json:
    """Return a template of pods without a fault."""
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"automountServiceAccountToken": False, "securityContext": security, "containers": list(containers)} | more
    return {"metadata": {"labels": labels(component)}, "spec": spec}


def serving(port: int) -> Json:
    """Return the port and the probes of a container that answers requests. That both ask the same is fine."""
    probe = {"httpGet": {"path": "/readyz", "port": "http"}}
    return {"ports": [{"name": "http", "containerPort": port}], "readinessProbe": probe, "livenessProbe": probe}


def made(kind: str, name: str, component: str = "web", **more: Any) -> Json:
    """Return an object."""
    return {"kind": kind, "metadata": {"name": name, "labels": labels(component)}, **more}


def deployment(name: str, component: str, *containers: Json) -> Json:
    """Return a Deployment of two pods."""
    spread = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}]
    template = pod(component, *containers, topologySpreadConstraints=spread)
    return made(
        "Deployment", name, component, spec={"replicas": 2, "selector": {"matchLabels": labels(component)}, "template": template},
    )  # fmt: skip


def service(name: str, component: str, **spec: Any) -> Json:
    """Return a Service of a component."""
    return made("Service", name, component, spec={"type": "ClusterIP", "selector": labels(component), "ports": [{"port": 80, "targetPort": "http"}]} | spec)


def ingress(to: str = "shop", port: Json | None = None) -> Json:
    """Return an Ingress that leads to a Service."""
    paths = [{"path": "/", "backend": {"service": {"name": to, "port": port or {"number": 80}}}}]
    rules = [{"host": "shop.example.com", "http": {"paths": paths}}]
    return made("Ingress", "shop", spec={"tls": [{"hosts": ["shop.example.com"], "secretName": "shop-tls"}], "rules": rules})


def environment() -> dict[Place, Json]:
    """Return the objects of an environment, by kind and name."""
    claims = [{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}]
    stateful = {"replicas": 1, "selector": {"matchLabels": labels("database")}, "volumeClaimTemplates": claims}
    stateful["template"] = pod("database", container("postgresql", f"postgres:17.2@{DIGEST}", **serving(5432)))
    job = {"activeDeadlineSeconds": 600, "template": pod("schedule", container("clearsessions"))}
    cron = {"schedule": "17 4 * * *", "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 600, "failedJobsHistoryLimit": 1}
    settings = {
        "DJANGO_DEBUG": "0", "DATABASE_URL": "postgres://shop:$(DATABASE_PASSWORD)@database/shop", "PASSWORD_RESET_TIMEOUT": "3600",
        "PRIVATE_KEY": "/tls/tls.key", "password": "#!/bin/sh\nPASSWORD=$(cat /run/password)\nexec psql\n", "SENTRY_DSN": "https://public@sentry.example.com/1",
    }  # fmt: skip
    objects = [
        deployment("shop", "web", container("web", **serving(8000))),
        made("StatefulSet", "database", "database", spec=stateful),
        made("CronJob", "shop-nightly", "schedule", spec=cron | {"jobTemplate": {"spec": job}}),
        service("shop", "web", type="NodePort"),
        service("database", "database"),
        made("Service", "mail", spec={"type": "ExternalName", "externalName": "mail.example.com"}),
        ingress(),
        made("ConfigMap", "shop", data=settings),
        made("PodDisruptionBudget", "shop", spec={"maxUnavailable": 1, "selector": {"matchLabels": labels("web")}}),
        made("HorizontalPodAutoscaler", "shop", spec={"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "shop"}}),
        made("NetworkPolicy", "default-deny", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        made("Namespace", "shop-dev"),
        made("Node", "one"),
        made("Node", "two"),
    ]
    found = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    found["Namespace", "shop-dev"]["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "restricted"}
    for node in ("one", "two"):
        found["Node", node]["metadata"]["labels"] = {"karpenter.sh/nodepool": "default"}
    return found


def changed(place: Place, path: tuple[str | int, ...], value: Any, objects: dict[Place, Json] | None = None) -> dict[Place, Json]:
    """Return the environment, or other ``objects``, with one field that is otherwise; GONE takes it out."""
    objects = copy.deepcopy(objects or environment())
    thing: Any = objects[place]
    for step in path[:-1]:
        thing = thing.setdefault(step, {}) if isinstance(thing, dict) else thing[step]
    if value is GONE:
        del thing[path[-1]]
    else:
        thing[path[-1]] = value
    return objects


def beside(*more: Json) -> dict[Place, Json]:
    """Return the environment with other objects beside its own."""
    return environment() | {(each["kind"], each["metadata"]["name"]): each for each in more}


def without(place: Place) -> dict[Place, Json]:
    """Return the environment without an object."""
    return {each: thing for each, thing in environment().items() if each != place}


def _environment_variable(name: str, value: str) -> dict[Place, Json]:
    return changed(SHOP, (*WEB, "env"), [{"name": name, "value": value}])


def _setting(name: str, value: str) -> dict[Place, Json]:
    return changed(("ConfigMap", "shop"), ("data",), {name: value})


def _another(name: str, *containers: Json) -> Json:
    """Return a Deployment of one pod, of another component."""
    found = deployment(name, name, *containers)
    found["spec"]["replicas"] = 1
    return found


def _database(strategy: str, *volumes: Json) -> dict[Place, Json]:
    found = _another("old", container("postgresql", f"docker.io/bitnami/postgresql:17@{DIGEST}", **serving(5432)))
    found["spec"]["strategy"] = {"type": strategy}
    found["spec"]["template"]["spec"]["volumes"] = list(volumes)
    return beside(found)


def _bare() -> Json:
    return made("Pod", "shell", "shell") | pod("shell", container("shell")) | {"metadata": {"name": "shell", "labels": labels("shell")}}


def running(token: bool) -> dict[Place, Json]:
    """Return a pod of the shop's, with the volume that the API server adds where nobody says no."""
    sources = [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}, {"configMap": {"name": "kube-root-ca.crt"}}]
    volumes = [{"name": "kube-api-access-7xk2p", "projected": {"sources": sources}}] if token else []
    owner = {"kind": "ReplicaSet", "name": "shop-1", "controller": True}
    metadata = {"name": "shop-1-x", "labels": labels("web") | {"pod-template-hash": "1"}, "ownerReferences": [owner]}
    return {("Pod", "shop-1-x"): {"kind": "Pod", "metadata": metadata, "spec": {"volumes": volumes, "containers": []}}}


def _annotated(applied: Json) -> dict[Place, Json]:
    return changed(SHOP, ("metadata", "annotations"), {APPLIED: json.dumps(applied)})


FAULTS: dict[str, tuple[str, dict[Place, Json]]] = {
    "the latest image": ("image-latest", changed(SHOP, (*WEB, "image"), "registry.example.com:5000/shop:latest")),
    "an image without a tag": ("image-latest", changed(SHOP, (*WEB, "image"), "registry.example.com:5000/web")),
    "an image without a digest": ("image-digest", changed(SHOP, (*WEB, "image"), "registry.example.com/web:1.0")),
    "an image of an environment": ("image-of-environment", changed(SHOP, (*WEB, "image"), f"registry.example.com/web:prod@{DIGEST}")),
    "no configuration from outside": (
        "configuration-in-image", beside(_another("old", {key: value for key, value in container("old").items() if key not in ("env", "envFrom")})),
    ),
    "no readiness probe": ("readiness", changed(SHOP, (*WEB, "readinessProbe"), GONE)),
    "no liveness probe": ("liveness", changed(SHOP, (*WEB, "livenessProbe"), GONE)),
    "no liveness probe of a StatefulSet": ("liveness", changed(DATABASE, (*WEB, "livenessProbe"), GONE)),
    "root by the pod": ("root", changed(SHOP, (*POD, "securityContext", "runAsUser"), 0)),
    "root by the container": ("root", changed(SHOP, (*SECURITY, "runAsUser"), 0)),
    "any user": ("root-perhaps", changed(SHOP, (*POD, "securityContext"), {"seccompProfile": {"type": "RuntimeDefault"}})),
    "a privileged container": ("privileged", changed(SHOP, SECURITY, {"privileged": True, "readOnlyRootFilesystem": True})),
    "privileges that may grow": ("escalation", changed(SHOP, (*SECURITY, "allowPrivilegeEscalation"), GONE)),
    "a root file system that can be written to": ("root-file-system", changed(NIGHTLY, (*CRON, *WEB[1:], "securityContext", "readOnlyRootFilesystem"), False)),
    "a capability more": ("capabilities-added", changed(SHOP, (*SECURITY, "capabilities", "add"), ["SYS_ADMIN"])),
    "capabilities that nobody dropped": ("capabilities-kept", changed(SHOP, (*SECURITY, "capabilities"), GONE)),
    "no system call filter": ("system-calls", changed(SHOP, (*POD, "securityContext", "seccompProfile"), {"type": "Unconfined"})),
    "the node's network": ("host", changed(SHOP, (*POD, "hostNetwork"), True)),
    "the node's processes": ("host", changed(SHOP, (*POD, "hostPID"), True)),
    "a path of the node": ("host", changed(SHOP, (*POD, "volumes"), [{"name": "run", "hostPath": {"path": "/var/run/docker.sock"}}])),
    "a port of the node": ("host", changed(SHOP, (*WEB, "ports", 0, "hostPort"), 80)),
    "a token that is asked for and that nothing uses": ("token", changed(SHOP, (*POD, "automountServiceAccountToken"), True)),
    "a token that nobody forbids and nothing uses": ("token", changed(SHOP, (*POD, "automountServiceAccountToken"), GONE) | running(True)),
    "no request of CPU": ("requests", changed(SHOP, (*WEB, "resources", "requests", "cpu"), GONE)),
    "no limit of memory": ("memory-limit", changed(SHOP, (*WEB, "resources", "limits"), GONE)),
    "a password in the environment": ("secret-in-environment", _environment_variable("DATABASE_PASSWORD", SECRET)),
    "a key of Django's in the environment": ("secret-in-environment", _environment_variable("DJANGO_SECRET_KEY", SECRET)),
    "an address with a password": ("secret-in-environment", _environment_variable("BROKER", f"redis://:{SECRET}@cache:6379/0")),
    "a password among the arguments": ("secret-in-environment", changed(SHOP, (*WEB, "args"), ["--port", "8000", f"--admin-password={SECRET}"])),
    "a password after its option": ("secret-in-environment", changed(SHOP, (*WEB, "args"), ["--admin-password", SECRET])),
    "a password in a ConfigMap": ("secret-in-configmap", _setting("smtpPassword", SECRET)),
    "a key of AWS in a ConfigMap": ("secret-in-configmap", _setting("storage", "AKIA" + "ABCDEFGHIJKLMNOP")),
    "a private key in a ConfigMap": ("secret-in-configmap", _setting("tls.pem", f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n")),
    "a file of settings with a secret": ("secret-in-configmap", _setting("settings.py", f'import os\nDEBUG = False\nSECRET_KEY = "{SECRET}"\n')),
    "a supervisor": ("several-programs", changed(SHOP, (*WEB, "command"), ["/usr/bin/supervisord", "-n"])),
    "two programs of one shell": ("several-programs", changed(SHOP, (*WEB, "command"), ["sh", "-c", "celery worker & exec gunicorn"])),
    "a database beside the app": (
        "large-pod", changed(SHOP, (*POD, "containers"), [container("web", **serving(8000)), container("db", f"postgres:17.2@{DIGEST}")]),
    ),
    "a pod that nothing makes again": ("bare-pod", beside(_bare())),
    "a database without a volume": ("database-without-volume", _database("RollingUpdate", {"name": "data", "emptyDir": {}})),
    "a StatefulSet without a volume": ("database-without-volume", changed(DATABASE, ("spec", "volumeClaimTemplates"), GONE)),
    "a database that is no StatefulSet": (
        "database-in-deployment", _database("RollingUpdate", {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}),
    ),
    "fewer pods than declared": ("replicas", {place: thing for place, thing in changed(SHOP, ("metadata", "annotations"), {
        APPLIED: json.dumps({"apiVersion": "apps/v1", "spec": {"replicas": 3}})}).items() if place[0] != "HorizontalPodAutoscaler"}),
    "no disruption budget": ("budget", without(("PodDisruptionBudget", "shop"))),
    "a budget of nothing": ("budget-of-nothing", changed(("PodDisruptionBudget", "shop"), ("spec", "maxUnavailable"), 0)),
    "a budget of none of two": ("budget-of-nothing", changed(("PodDisruptionBudget", "shop"), ("spec",), {
        "minAvailable": 2, "selector": {"matchLabels": labels("web")}})),
    "nothing that spreads pods": ("spread", changed(SHOP, (*POD, "topologySpreadConstraints"), GONE)),
    "no autoscaler of nodes": (
        "nodes-of-autoscaler", {key: thing if key[0] != "Node" else made("Node", key[1]) for key, thing in environment().items()},
    ),
    "a Service that selects nothing": ("service", beside(service("old", "webs"))),
    "a port that pods do not have": ("service-port", changed(SERVICE, ("spec", "ports", 0, "targetPort"), "web")),
    "a Service of two programs": ("service-of-several", beside(service("all", "web", selector={"app.kubernetes.io/name": "shop"}))),
    "a selector of others' pods": ("selectors-overlap", changed(DATABASE, ("spec", "selector"), {"matchLabels": {"app.kubernetes.io/name": "shop"}})),
    "an autoscaler of nothing": ("autoscaler", beside(made("HorizontalPodAutoscaler", "old", spec={
        "scaleTargetRef": {"kind": "Deployment", "name": "old"}, "maxReplicas": 2}))),
    "a budget of nobody": ("budget-of-nobody", beside(made("PodDisruptionBudget", "old", spec={
        "maxUnavailable": 1, "selector": {"matchLabels": labels("old")}}))),
    "an Ingress to no Service": ("ingress", beside(ingress("shops"))),
    "an Ingress to no port": ("ingress", beside(ingress(port={"number": 8000}))),
    "an Ingress whose default is not there": ("ingress", beside(made("Ingress", "old", spec={
        "tls": [{}], "defaultBackend": {"service": {"name": "old"}}}))),
    "an Ingress without TLS": ("ingress-without-tls", changed(("Ingress", "shop"), ("spec", "tls"), GONE)),
    "labels that disagree": ("labels-disagree", changed(SHOP, ("metadata", "labels", "app.kubernetes.io/name"), "polls")),
    "an old version beside the new one": (
        "versions-differ", changed(NIGHTLY, (*CRON, *WEB[1:], "image"), f"registry.example.com/shop@{DIGEST.replace('4f53', '0000')}"),
    ),
    "pods that no policy closes": ("network-policy", changed(("NetworkPolicy", "default-deny"), ("spec", "podSelector"), {
        "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "NotIn", "values": ["web"]}]})),
    "another Service that is open": ("service-open", changed(("Service", "database"), ("spec", "type"), "LoadBalancer")),
    "a CronJob beside itself": ("cron-beside-itself", changed(NIGHTLY, ("spec", "concurrencyPolicy"), "Allow")),
    "a CronJob that nothing ends": ("cron-without-end", changed(NIGHTLY, (*CRON, "activeDeadlineSeconds"), GONE)),
    "a CronJob without a deadline": ("cron-without-start", changed(NIGHTLY, ("spec", "startingDeadlineSeconds"), GONE)),
    "a CronJob with a long history": ("cron-history", changed(NIGHTLY, ("spec", "failedJobsHistoryLimit"), 100)),
    "what a command made": ("by-hand", changed(SHOP, ("metadata", "managedFields"), [{"manager": "kubectl-create", "operation": "Update"}])),
    "what was changed since": ("drift", _annotated({"apiVersion": "apps/v1", "spec": {"revisionHistoryLimit": 2}})),
    "an old version of the API": ("old-api", _annotated({"apiVersion": "extensions/v1beta1"})),
    "a namespace that takes any pod": ("pod-security", changed(("Namespace", "shop-dev"), ("metadata", "labels"), {})),
    "two environments in a namespace": ("shared-namespace", beside(_another("shop-production", container("worker")))),
}  # fmt: skip
"""By what is wrong: the check that finds it, and the environment with it."""
