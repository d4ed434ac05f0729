"""Checks of relations between objects: selectors, numbers of pods, network access, and the contents of a namespace and a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .. import providers
from ..environments import environments
from ..kube.apply import LAST_APPLIED, contains
from ..kube.client import KINDS, prefix_of
from ..kube.evictions import matches
from ..kube.objects import dig
from ..kube.references import WORKLOADS, pod_spec
from . import images, secrecy
from .check import ERROR, NOTE, UNSHOWN, WARNING, Check, Fault, check
from .live import LASTING, Live, containers, labels, labels_field, made_by_berth, name, pod_field, pod_labels, target, title
from .pods import CIS, KUBESCAPE, POLARIS, SCORE

Object = Mapping[str, Any]
CONCEPTS = "https://kubernetes.io/docs/concepts/"
REPLICATED = ("Deployment", "StatefulSet")
IDENTITY = ("app", "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
"""Labels by which an object and its pods are known: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/."""
BY_ANNOTATION = "use-annotation"
"""A port's name for a backend that is no Service: https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/."""
HISTORY = 10
"""Ended Jobs of a CronJob above which nobody looks at them all."""
AUTOSCALED = (("karpenter.sh/nodepool", None), ("eks.amazonaws.com/compute-type", "auto"), ("cloud.google.com/gke-provisioning", None))
"""Labels of nodes that something makes where pods find no room: Karpenter, EKS Auto Mode, GKE."""
BY_HAND = ("kubectl-create", "kubectl-run", "kubectl-expose", "kubectl-autoscale")
"""Who manages the fields of an object that a command made: https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers."""
# https://kubernetes.io/docs/reference/using-api/deprecation-guide/: since which version of Kubernetes it is not served.
REMOVED = {
    "extensions/v1beta1": "1.16 to 1.22", "apps/v1beta1": "1.16", "apps/v1beta2": "1.16", "networking.k8s.io/v1beta1": "1.22",
    "batch/v1beta1": "1.25", "policy/v1beta1": "1.25", "autoscaling/v2beta1": "1.25", "autoscaling/v2beta2": "1.26",
}  # fmt: skip


# --- How many there are --------------------------------------------------------
def _budgets(live: Live, workload: Object) -> list[Object]:
    return [each for each in live.of("PodDisruptionBudget") if matches(dig(each, "spec", "selector"), pod_labels(workload))]


@check(
    WARNING, f"{SCORE} (deployment-replicas)", "it has fewer pods than declared",
    "the load is on the remaining pods, or nothing serves at all",
    "set spec.replicas", "run site.yml, which sets it", needs=("HorizontalPodAutoscaler",),
)  # fmt: skip
def replicas(live: Live) -> Iterator[Fault]:
    """As somebody's ``kubectl scale`` leaves it. What an autoscaler decides is its own."""
    scaled = {target(scaler) for scaler in live.of("HorizontalPodAutoscaler")}
    for each in live.workloads(*REPLICATED):
        asked, has = dig(_applied(each), "spec", "replicas"), dig(each, "spec", "replicas")
        if isinstance(asked, int) and isinstance(has, int) and has < asked and (each["kind"], name(each)) not in scaled:
            yield Fault(each, "spec.replicas", f"{has}, of {asked}")


@check(
    WARNING, f"{SCORE} (deployment-has-poddisruptionbudget)", "no disruption budget protects its pods",
    "a node upgrade may stop all of them at once", "create a PodDisruptionBudget that selects its pods, with maxUnavailable: 1",
    "run site.yml, which creates it", needs=("PodDisruptionBudget", "HorizontalPodAutoscaler"),
)  # fmt: skip
def budget(live: Live) -> Iterator[Fault]:
    """Of what is wanted several times, by ``replicas`` or by an autoscaler's minimum."""
    for workload in live.workloads(*REPLICATED):
        if live.replicas(workload) > 1 and not _budgets(live, workload):
            yield Fault(workload, "spec.replicas", f"at least {live.replicas(workload)}")


@check(
    WARNING, f"{CONCEPTS}workloads/pods/disruptions/", "it allows no eviction", "a node cannot be drained, and a cluster upgrade waits forever",
    "set maxUnavailable: 1", needs=(*REPLICATED, "HorizontalPodAutoscaler"),
)  # fmt: skip
def budget_of_nothing(live: Live) -> Iterator[Fault]:
    """``maxUnavailable`` 0, or ``minAvailable`` of all that are wanted."""
    for each in live.of("PodDisruptionBudget"):
        spec, selected = each.get("spec") or {}, live.selected(dig(each, "spec", "selector"), *REPLICATED)
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        wanted = sum(live.replicas(workload) for workload in selected)
        if most is not None and str(most) in ("0", "0%"):
            yield Fault(each, "spec.maxUnavailable", str(most))
        elif least is not None and selected and (str(least) == "100%" or (str(least).isdigit() and int(least) >= wanted)):
            yield Fault(each, "spec.minAvailable", f"{least}, of {wanted}")


@check(
    WARNING, f"{CONCEPTS}scheduling-eviction/topology-spread-constraints/", "nothing spreads its pods across nodes",
    "all of them may be on the one node that fails", "set topologySpreadConstraints for kubernetes.io/hostname", "run site.yml, which sets it",
    needs=("Node", "HorizontalPodAutoscaler"),
)  # fmt: skip
def spread(live: Live) -> Iterator[Fault]:
    """Where there are several nodes. An anti-affinity of pods spreads them too; of the scheduler's own rule three may be together."""
    if len(live.of("Node")) > 1:
        for workload in live.workloads(*REPLICATED):
            spec = pod_spec(workload)
            if live.replicas(workload) > 1 and not spec.get("topologySpreadConstraints") and not dig(spec, "affinity", "podAntiAffinity"):
                yield Fault(workload, pod_field(workload, "topologySpreadConstraints"))


@check(
    NOTE, f"{CONCEPTS}cluster-administration/node-autoscaling/", "no node autoscaler was found for it",
    "once the nodes are full, the pods that it adds stay pending", "run a node autoscaler, such as Karpenter, or the provider's own",
    "set {berth_eks_compute} to auto, or set up an autoscaler in a cluster that Berth did not create", needs=("Node",),
)  # fmt: skip
def nodes_of_autoscaler(live: Live) -> Iterator[Fault]:
    """Where nodes can be made. What makes them on other clusters is not always to be seen, so this is a note."""
    known = [each for each in live.of("Node") if any(key in labels(each) and value in (None, labels(each)[key]) for key, value in AUTOSCALED)]
    if providers.of(live.provider).elsewhere and live.of("Node") and not known:
        for scaler in live.of("HorizontalPodAutoscaler"):
            yield Fault(scaler, "spec.maxReplicas", str(dig(scaler, "spec", "maxReplicas")))


# --- Who selects whom ----------------------------------------------------------
@check(
    ERROR, f"{SCORE} (service-targets-pod)", "it selects no pods", "its callers get no answer", "make spec.selector match the labels of the pods",
    needs=WORKLOADS,
)  # fmt: skip
def service(live: Live) -> Iterator[Fault]:
    """A Service without a selector, such as an ``ExternalName``, has its addresses from elsewhere."""
    for each in live.of("Service"):
        if dig(each, "spec", "selector") and dig(each, "spec", "type") != "ExternalName" and not live.behind(each):
            yield Fault(each, "spec.selector", _pairs(each["spec"]["selector"]))


@check(
    ERROR, f"{CONCEPTS}services-networking/service/#field-spec-ports", "it points to a port that its pods do not have", "its callers get no answer",
    "make targetPort match the name of the container's port", needs=WORKLOADS,
)  # fmt: skip
def service_port(live: Live) -> Iterator[Fault]:
    """A number need not be declared, a name has to be."""
    for each in live.of("Service"):
        behind = live.behind(each)
        known = {port.get("name") for workload in behind for container in containers(workload) for port in container.spec.get("ports") or []}
        for port in dig(each, "spec", "ports") or []:
            wanted = port.get("targetPort")
            if behind and isinstance(wanted, str) and not wanted.isdigit() and wanted not in known:
                yield Fault(each, f"spec.ports[{port.get('name', port.get('port'))}].targetPort", wanted)


@check(
    WARNING, f"{CONCEPTS}overview/working-with-objects/labels/", "it sends requests to different programs",
    "chance decides which of them answers", "add a label to spec.selector that only one of them has", needs=WORKLOADS,
)  # fmt: skip
def service_of_several(live: Live) -> Iterator[Fault]:
    """Workloads with different images. Two releases of one program behind a Service are meant so."""
    for each in live.of("Service"):
        behind = live.behind(each)
        if len({tuple(sorted(images.parts(container.image)[0] for container in containers(workload))) for workload in behind}) > 1:
            yield Fault(each, "spec.selector", f"{_pairs(each['spec']['selector'])} of {', '.join(map(title, behind))}")


@check(
    ERROR, f"{CONCEPTS}workloads/controllers/deployment/#selector", "its selector matches pods of another workload",
    "two controllers count and delete each other's pods", "add a label to both selector and template that only it has", needs=LASTING,
)  # fmt: skip
def selectors_overlap(live: Live) -> Iterator[Fault]:
    """A selector has to be of one workload."""
    for each in live.workloads(*LASTING):
        others = [other for other in live.selected(dig(each, "spec", "selector"), *LASTING) if other is not each]
        if others:
            yield Fault(each, "spec.selector", f"{_pairs(dig(each, 'spec', 'selector', 'matchLabels') or {})}, as in {', '.join(map(title, others))}")


@check(
    ERROR, f"{SCORE} (horizontalpodautoscaler-has-target)", "it scales a workload that does not exist", "the app does not get more pods under load",
    "name the workload in spec.scaleTargetRef", "run site.yml, which does", needs=LASTING,
)  # fmt: skip
def autoscaler(live: Live) -> Iterator[Fault]:
    """Of the kinds that Kubernetes itself has."""
    there = {(each["kind"], name(each)) for each in live.of(*LASTING)}
    for each in live.of("HorizontalPodAutoscaler"):
        if target(each)[0] in LASTING and target(each) not in there:
            yield Fault(each, "spec.scaleTargetRef", " ".join(target(each)))


@check(
    WARNING, "https://kubernetes.io/docs/tasks/run-application/configure-pdb/", "it protects no pods",
    "a node upgrade may stop all the pods that it should protect at once",
    "make spec.selector match the labels of the pods", needs=WORKLOADS,
)  # fmt: skip
def budget_of_nobody(live: Live) -> Iterator[Fault]:
    """A selector that matches no workload."""
    for each in live.of("PodDisruptionBudget"):
        if not live.selected(dig(each, "spec", "selector")):
            yield Fault(each, "spec.selector", _pairs(dig(each, "spec", "selector", "matchLabels") or {}))


@check(
    ERROR, f"{SCORE} (ingress-targets-service)", "it points to a Service or port that does not exist", "visitors get an error from the load balancer",
    "name a Service of the namespace, and one of its ports", "run site.yml, which does; {berth_entry} says whether there is an entry", needs=("Service",),
)  # fmt: skip
def ingress(live: Live) -> Iterator[Fault]:
    """Each backend, the default one too."""
    ports = {name(each): {word for port in dig(each, "spec", "ports") or [] for word in (port.get("name"), port.get("port"))} for each in live.of("Service")}
    for each in live.of("Ingress"):
        for path, backend in _backends(each):
            wanted, port = dig(backend, "service", "name"), dig(backend, "service", "port") or {}
            if not wanted or port.get("name") == BY_ANNOTATION:
                continue
            if wanted not in ports:
                yield Fault(each, f"{path}.service.name", wanted)
            elif (port.get("name") or port.get("number")) not in ports[wanted]:
                yield Fault(each, f"{path}.service.port", f"{port.get('name') or port.get('number')} of {wanted}")


def _backends(found: Object) -> Iterator[tuple[str, Object]]:
    if backend := dig(found, "spec", "defaultBackend"):
        yield "spec.defaultBackend", backend
    for number, rule in enumerate(dig(found, "spec", "rules") or []):
        for path in dig(rule, "http", "paths") or []:
            yield f"spec.rules[{rule.get('host', number)}].http.paths[{path.get('path', '/')}].backend", path.get("backend") or {}


@check(
    WARNING, f"{POLARIS}security/ (tlsSettingsMissing)", "visitors connect without TLS", "passwords and sessions can be read in transit",
    "set spec.tls, with the Secret of a certificate", "set {berth_entry_host}, and run site.yml",
)  # fmt: skip
def ingress_without_tls(live: Live) -> Iterator[Fault]:
    """Some load balancers have their certificate from an annotation."""
    for each in live.of("Ingress"):
        by_annotation = any("certificate" in key or "cert-manager" in key for key in dig(each, "metadata", "annotations") or {})
        if not dig(each, "spec", "tls") and not by_annotation:
            yield Fault(each, "spec.tls")


@check(
    WARNING, f"{CONCEPTS}overview/working-with-objects/common-labels/", "its labels differ from its pods' labels",
    "a search by label finds the object or the pods, but not both", "make metadata.labels match the labels of the template",
    "run site.yml, which does",
)  # fmt: skip
def labels_disagree(live: Live) -> Iterator[Fault]:
    """Of the labels by which things are known."""
    for each in live.workloads(*LASTING, "CronJob", "Job"):
        mine, theirs = labels(each), pod_labels(each)
        for key in IDENTITY:
            if key in mine and key in theirs and mine[key] != theirs[key]:
                yield Fault(each, f"metadata.labels[{key}]", f"{mine[key]}, and {theirs[key]} of its pods")


@check(
    WARNING, "https://12factor.net/build-release-run", "one program runs in different versions",
    "an old version was left running, with code that may not match the database", "name the same image in each", "run site.yml, which does",
)  # fmt: skip
def versions_differ(live: Live) -> Iterator[Fault]:
    """Workloads of one image's repository. Jobs are left out, for they cannot be changed."""
    found: dict[str, dict[str, Object]] = {}
    for each in live.containers(*LASTING, "CronJob"):
        found.setdefault(images.parts(each.image)[0], {}).setdefault(each.image, each.workload)
    for versions in found.values():
        if len(versions) > 1:
            told = ", ".join(f"{image.rsplit('/', 1)[-1][:48]} in {title(workload)}" for image, workload in versions.items())
            yield Fault(next(iter(versions.values())), "image", told)


# --- Who may call whom ---------------------------------------------------------
@check(
    WARNING, f"{CIS} (network policies) and {CONCEPTS}services-networking/network-policies/", "no network policy restricts access to its pods",
    "every pod in the cluster may call it", "create a NetworkPolicy with policyTypes: [Ingress] that selects its pods",
    "run site.yml, which restricts the namespace; {berth_app_ingress} says who may call the app", needs=("NetworkPolicy",),
)  # fmt: skip
def network_policy(live: Live) -> Iterator[Fault]:
    """Without a policy of ``Ingress`` that selects them, pods may be called by all. Policies do not reach pods in the node's network."""
    closing = [each for each in live.of("NetworkPolicy") if "Ingress" in (dig(each, "spec", "policyTypes") or ["Ingress"])]
    for workload in live.workloads():
        closed = any(matches(dig(each, "spec", "podSelector") or {}, pod_labels(workload)) for each in closing)
        if not closed and not pod_spec(workload).get("hostNetwork"):
            yield Fault(workload, labels_field(workload), _pairs(pod_labels(workload)))


@check(
    WARNING, f"{SCORE} (service-type)", "it is exposed in addition to the app's entry",
    "anyone who reaches a node or its load balancer reaches it, bypassing TLS and the entry's checks",
    "set spec.type: ClusterIP", "set {berth_entry} to the way that visitors connect, and run site.yml",
)  # fmt: skip
def service_open(live: Live) -> Iterator[Fault]:
    """The Service of the app's name is the entry."""
    for each in live.of("Service"):
        if dig(each, "spec", "type") in ("NodePort", "LoadBalancer") and name(each) != live.app:
            yield Fault(each, "spec.type", each["spec"]["type"])


# --- Commands at times ---------------------------------------------------------
@check(
    WARNING, f"{CONCEPTS}workloads/controllers/cron-jobs/#concurrency-policy", "its runs may overlap",
    "runs that take longer than the period pile up until the quota or the database is full", "set concurrencyPolicy: Forbid",
)  # fmt: skip
def cron_beside_itself(live: Live) -> Iterator[Fault]:
    """``Allow`` is the default."""
    for each in live.of("CronJob"):
        if dig(each, "spec", "concurrencyPolicy") in (None, "Allow"):
            yield Fault(each, "spec.concurrencyPolicy", dig(each, "spec", "concurrencyPolicy") or "")


@check(
    WARNING, f"{CONCEPTS}workloads/controllers/job/#job-termination-and-cleanup", "it has no time limit",
    "a run that hangs stays, and with Forbid it never runs again",
    "set activeDeadlineSeconds in spec.jobTemplate.spec", "set timeout in {berth_app_schedules}, and run site.yml",
)  # fmt: skip
def cron_without_end(live: Live) -> Iterator[Fault]:
    """A deadline of the Job, or of its pod."""
    for each in live.of("CronJob"):
        if not dig(each, "spec", "jobTemplate", "spec", "activeDeadlineSeconds") and not pod_spec(each).get("activeDeadlineSeconds"):
            yield Fault(each, "spec.jobTemplate.spec.activeDeadlineSeconds")


@check(
    WARNING, f"{SCORE} (cronjob-has-deadline)", "it has no start deadline",
    "a run that is hours late still starts, and after 100 missed runs none does",
    "set startingDeadlineSeconds",
)  # fmt: skip
def cron_without_start(live: Live) -> Iterator[Fault]:
    """https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#starting-deadline."""
    for each in live.of("CronJob"):
        if dig(each, "spec", "startingDeadlineSeconds") is None:
            yield Fault(each, "spec.startingDeadlineSeconds")


@check(
    NOTE, f"{CONCEPTS}workloads/controllers/cron-jobs/#jobs-history-limits", "it keeps many ended Jobs",
    "they and their pods clutter lists and use up the namespace's quota",
    "lower the limit",
)  # fmt: skip
def cron_history(live: Live) -> Iterator[Fault]:
    """Kubernetes' own limits are 3 and 1."""
    for each in live.of("CronJob"):
        for field in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
            if (dig(each, "spec", field) or 0) > HISTORY:
                yield Fault(each, f"spec.{field}", str(each["spec"][field]))


# --- Settings ------------------------------------------------------------------
@check(
    ERROR, f"{KUBESCAPE}c-0012/", "it holds a secret", "more people can read ConfigMaps than Secrets, and nobody looks for secrets to rotate in them",
    "put it into a Secret, and change the secret", "move it from {berth_app_settings} to {berth_app_secrets}, run site.yml, and change the secret",
)  # fmt: skip
def secret_in_configmap(live: Live) -> Iterator[Fault]:
    """By name and by shape, also within files."""
    for each in live.of("ConfigMap"):
        for key, value in (each.get("data") or {}).items():
            if secrecy.setting(key, str(value)):
                yield Fault(each, f"data[{key}]", UNSHOWN)


# --- How it came about ---------------------------------------------------------
def _applied(thing: Object) -> Object:
    try:
        found = json.loads((dig(thing, "metadata", "annotations") or {})[LAST_APPLIED])
    except (KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("spec", {}), dict) else {}


def _declared(live: Live) -> Iterator[Object]:
    yield from live.workloads()
    yield from live.of("Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")


@check(
    WARNING, f"{CONCEPTS}overview/working-with-objects/object-management/", "a command created it, and no file declares it",
    "nobody can recreate it as it is, or see who changed it and why", "write its manifest and apply it with kubectl apply, or name it in berth_app_objects",
)  # fmt: skip
def by_hand(live: Live) -> Iterator[Fault]:
    """Made with ``kubectl create``, ``run``, ``expose`` or ``autoscale``, and never applied."""
    for each in _declared(live):
        managers = dig(each, "metadata", "managedFields") or []
        made = [manager["manager"] for manager in managers if manager.get("manager") in BY_HAND]
        if made and not _applied(each) and not any(manager.get("operation") == "Apply" for manager in managers):
            yield Fault(each, "metadata.managedFields.manager", made[0])


@check(
    WARNING, f"{CONCEPTS}overview/working-with-objects/object-management/", "somebody changed it since it was applied",
    "the next apply reverts the change, or the file differs from what runs", "write the change into its manifest, or apply the manifest again",
)  # fmt: skip
def drift(live: Live) -> Iterator[Fault]:
    """What was applied last and is otherwise now; the number of pods is another check's. A rollback changes Berth's own objects on purpose."""
    for each in _declared(live):
        applied = _applied(each)
        if made_by_berth(each) or prefix_of(str(applied.get("apiVersion", ""))) != KINDS[each["kind"]][0]:
            continue
        for field, wanted in (applied.get("spec") or {}).items():
            if field != "replicas" and not contains(dig(each, "spec", field), wanted):
                yield Fault(each, f"spec.{field}", f"{wanted} applied, {each['spec'].get(field)} now" if isinstance(wanted, int | bool) else "")


@check(
    WARNING, "https://kubernetes.io/docs/reference/using-api/deprecation-guide/", "it was written with an old version of the API",
    "Kubernetes no longer accepts its manifest", "use the current apiVersion in its manifest",
)  # fmt: skip
def old_api(live: Live) -> Iterator[Fault]:
    """As far as the object tells: by its managers, and by what was applied last."""
    for each in _declared(live):
        versions = [str(manager.get("apiVersion")) for manager in dig(each, "metadata", "managedFields") or []] + [str(_applied(each).get("apiVersion"))]
        if old := next(filter(REMOVED.__contains__, versions), ""):
            yield Fault(each, "apiVersion", f"{old}, gone since Kubernetes {REMOVED[old]}")


# --- Namespace and cluster -----------------------------------------------------
@check(
    ERROR, f"{CIS} (the default namespace) and {KUBESCAPE}c-0061/", "it is the default namespace",
    "limits, policies and rights apply to a namespace, and this one is shared by everyone", "give the app its own namespace",
    "set {berth_namespace} to a namespace of the app's own",
)  # fmt: skip
def default_namespace(live: Live) -> Iterator[Fault]:
    """Where something runs in it."""
    if live.namespace == "default" and live.workloads():
        yield Fault(_namespace(live), "metadata.name", "default")


@check(
    WARNING, "https://kubernetes.io/docs/concepts/security/pod-security-admission/", "it accepts pods that may do anything",
    "a mistake in one manifest, or anyone who may create pods, can take over the node",
    "label it pod-security.kubernetes.io/enforce: restricted, or baseline", "run site.yml, which labels it", needs=("Namespace",),
)  # fmt: skip
def pod_security(live: Live) -> Iterator[Fault]:
    """Without the label a namespace is ``privileged``, unless the API server was given another default."""
    for each in live.of("Namespace"):
        level = labels(each).get("pod-security.kubernetes.io/enforce", "")
        if level in ("", "privileged"):
            yield Fault(each, "metadata.labels[pod-security.kubernetes.io/enforce]", level)


@check(
    WARNING, f"{CONCEPTS}overview/working-with-objects/namespaces/", "several environments share it",
    "what is tried in one of them can stop, read or fill the other", "give each environment its own namespace",
    "give each environment an inventory, with {berth_namespace} of its own",
)  # fmt: skip
def shared_namespace(live: Live) -> Iterator[Fault]:
    """By the names of what runs in it."""
    found = environments([live.namespace, *map(name, live.workloads())])
    if len(found) > 1:
        yield Fault(_namespace(live), "metadata.name", f"{live.namespace}, with {', '.join(sorted(set(found.values())))}")


@check(
    WARNING, f"{CONCEPTS}security/multi-tenancy/", "development and production share a cluster",
    "an upgrade, a full node or a stolen credential in one of them affects the other", "give production its own cluster",
    "set {berth_provider} and {berth_kubeconfig} of one of them to another cluster",
)  # fmt: skip
def shared_cluster(live: Live) -> Iterator[Fault]:
    """By the names of its environments and namespaces."""
    found = environments([live.environment, live.namespace, *live.others])
    if live.others and "production" in found and len(found) > 1:
        yield Fault(_namespace(live), "metadata.name", ", ".join(sorted(set(found.values()))))


def _namespace(live: Live) -> Object:
    return next(iter(live.of("Namespace")), {"kind": "Namespace", "metadata": {"name": live.namespace}})


def _pairs(selector: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in selector.items())


CHECKS = tuple(each for each in vars().copy().values() if isinstance(each, Check))
