"""Checks of what containers run, and of their privileges.

Sources are the Pod Security Standards, the CIS benchmark's section on workloads, and the checks of kube-score, Polaris and Kubescape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..environments import ENVIRONMENTS
from ..kube.objects import dig
from ..kube.references import pod_spec, references
from . import images, secrecy
from .check import ERROR, NOTE, UNSHOWN, WARNING, Check, Fault, check
from .live import LASTING, SERVING, Container, Live, containers, made_by_berth, mains, owners, pod_field

STANDARDS = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
SCORE = "https://github.com/zegl/kube-score/blob/v1.20.0/README_CHECKS.md"
POLARIS = "https://polaris.docs.fairwinds.com/checks/"
KUBESCAPE = "https://kubescape.io/docs/controls/"
CIS = "https://www.cisecurity.org/benchmark/kubernetes"

AGAIN = "run site.yml, which releases images by their digest"
SUPERVISORS = r"\b(supervisord|honcho|foreman|forego|overmind|circusd|runsvdir|s6-svscan|pm2|multirun)\b"
BESIDE = r"(?<![&>])&(?=\s|$)(?!\s*&)"
"""What starts a command of a shell beside the next one: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_09_03."""
SHELL = r"(.*/)?(a|ba|da|k|z)?sh"
SIDECARS = 3
"""Containers of a pod above which it is several."""


# --- Images --------------------------------------------------------------------
@check(
    ERROR, f"{SCORE} (container-image-tag)", "its image is latest, whatever that is at the time",
    "nobody can tell which version runs, and two pods may run different ones", "name a version or a digest in image", AGAIN,
)  # fmt: skip
def image_latest(live: Live) -> Iterator[Fault]:
    """An image without a tag is ``latest`` (https://kubernetes.io/docs/concepts/containers/images/#image-names)."""
    for each in live.containers():
        _, tag, digest = images.parts(each.image)
        if not digest and tag in ("", "latest"):
            yield Fault(each.workload, f"{each.path}.image", each.image)


@check(
    NOTE, f"{CIS} (image provenance) and https://kubernetes.io/docs/concepts/containers/images/#image-names", "its image has no digest",
    "a tag can be moved, and then a new pod runs something else than its neighbour", "add its digest to image, as NAME:TAG@sha256:DIGEST", AGAIN,
)  # fmt: skip
def image_digest(live: Live) -> Iterator[Fault]:
    """A digest names one image for ever. What Berth itself brings to the nodes was checked there (roles/artifacts), and keeps its tag."""
    for each in live.containers():
        _, tag, digest = images.parts(each.image)
        if not digest and tag not in ("", "latest") and not made_by_berth(each.workload):
            yield Fault(each.workload, f"{each.path}.image", each.image)


@check(
    WARNING, "https://12factor.net/build-release-run", "its image was built for one environment",
    "what was tested in one environment is not what runs in the next", "build one image for all environments and pass the differences with envFrom", AGAIN,
)  # fmt: skip
def image_of_environment(live: Live) -> Iterator[Fault]:
    """A tag that is an environment's name is of an image with that environment's configuration in it."""
    for each in live.containers():
        _, tag, _ = images.parts(each.image)
        if tag.lower() in ENVIRONMENTS:
            yield Fault(each.workload, f"{each.path}.image", each.image)


@check(
    NOTE, "https://12factor.net/config", "it takes no configuration from outside",
    "settings in an image change only with a new image, and anyone with the image has its secrets",
    "give the container env, envFrom or a volume of a ConfigMap or Secret", "set {berth_app_settings} and {berth_app_secrets}",
)  # fmt: skip
def configuration_in_image(live: Live) -> Iterator[Fault]:
    """All that can be seen of it: nothing comes from outside, by the environment or by a volume."""
    for workload in live.workloads(*LASTING):
        settings = [each for each in containers(workload) if each.spec.get("env") or each.spec.get("envFrom") or each.spec.get("args")]
        if not settings and not references({**pod_spec(workload), "imagePullSecrets": []}):
            yield Fault(workload, pod_field(workload, "containers"), "no env, no envFrom, no ConfigMap and no Secret")


# --- Health --------------------------------------------------------------------
def _without(live: Live, probe: str) -> Iterator[Fault]:
    for workload in live.workloads(*SERVING):
        if live.serves(workload):
            listening = [each for each in mains(workload) if each.spec.get("ports")] or mains(workload)
            yield from (Fault(workload, f"{each.path}.{probe}") for each in listening if not each.spec.get(probe))


@check(
    ERROR, f"{SCORE} (pod-probes)", "it has no readiness probe", "visitors are sent to pods that have not started, or cannot reach their database",
    "set readinessProbe", "run site.yml, which sets what {berth_app_probe} says", needs=("Service",),
)  # fmt: skip
def readiness(live: Live) -> Iterator[Fault]:
    """Of what answers requests; a worker that nobody calls gets none."""
    yield from _without(live, "readinessProbe")


@check(
    WARNING, f"{POLARIS}reliability/ (livenessProbeMissing)", "it has no liveness probe", "a process that hangs stays that way until somebody notices",
    "set livenessProbe", "run site.yml, which sets what {berth_app_probe} says", needs=("Service",),
)  # fmt: skip
def liveness(live: Live) -> Iterator[Fault]:
    """The same probe as readiness is fine: it is better than none."""
    yield from _without(live, "livenessProbe")


# --- What it may do ------------------------------------------------------------
def _security(each: Container, field: str) -> str:
    return f"{each.path}.securityContext.{field}"


@check(
    ERROR,
    STANDARDS,
    "it runs as root",
    "an attacker who breaks out of the container is root on the node",
    "set runAsUser to a number other than 0",
    "set {berth_app_user}",
)
def root(live: Live) -> Iterator[Fault]:
    """The user of the container, or else of the pod, is 0."""
    for each in live.containers():
        if each.secured("runAsUser") == 0:
            yield Fault(each.workload, _security(each, "runAsUser"), "0")


@check(
    WARNING, STANDARDS, "it may run as root", "the image decides which user it runs as, and most run as root",
    "set runAsNonRoot: true, and runAsUser", "set {berth_app_user}",
)  # fmt: skip
def root_perhaps(live: Live) -> Iterator[Fault]:
    """Neither a user nor ``runAsNonRoot``."""
    for each in live.containers():
        if each.secured("runAsUser") is None and each.secured("runAsNonRoot") is not True:
            yield Fault(each.workload, _security(each, "runAsNonRoot"), _shown(each.secured("runAsNonRoot")))


@check(ERROR, STANDARDS, "it is privileged", "it can do anything on the node that root can", "remove privileged")
def privileged(live: Live) -> Iterator[Fault]:
    """A privileged container has all devices and capabilities."""
    for each in live.containers():
        if dig(each.spec, "securityContext", "privileged"):
            yield Fault(each.workload, _security(each, "privileged"), "true")


@check(
    WARNING, STANDARDS, "its processes may gain privileges", "a setuid program makes an attacker who takes over the app root",
    "set allowPrivilegeEscalation: false",
)  # fmt: skip
def escalation(live: Live) -> Iterator[Fault]:
    """Allowed where it is not forbidden. A privileged container always may, which is a finding of its own."""
    for each in live.containers():
        allowed = dig(each.spec, "securityContext", "allowPrivilegeEscalation")
        if allowed is not False and not dig(each.spec, "securityContext", "privileged"):
            yield Fault(each.workload, _security(each, "allowPrivilegeEscalation"), _shown(allowed))


@check(
    WARNING, f"{POLARIS}security/ (notReadOnlyRootFilesystem)", "its root file system is writable",
    "an attacker who takes over the app can change its code and leave programs behind",
    "set readOnlyRootFilesystem: true, and mount an emptyDir where it has to write",
    "name the directories that the app writes to in {berth_app_writable}, and run site.yml",
)  # fmt: skip
def root_file_system(live: Live) -> Iterator[Fault]:
    """Writable where it is not forbidden."""
    for each in live.containers():
        if dig(each.spec, "securityContext", "readOnlyRootFilesystem") is not True:
            yield Fault(each.workload, _security(each, "readOnlyRootFilesystem"), _shown(dig(each.spec, "securityContext", "readOnlyRootFilesystem")))


@check(
    ERROR, STANDARDS, "it has capabilities that pods do not need", "they grant parts of root's power over the node or its network", "remove them from add",
)  # fmt: skip
def capabilities_added(live: Live) -> Iterator[Fault]:
    """The restricted standard lets a pod have ``NET_BIND_SERVICE`` only."""
    for each in live.containers():
        added = [name for name in dig(each.spec, "securityContext", "capabilities", "add") or [] if name.upper() != "NET_BIND_SERVICE"]
        if added:
            yield Fault(each.workload, _security(each, "capabilities.add"), ", ".join(added))


@check(
    WARNING, STANDARDS, "it keeps the default capabilities",
    "some of them, such as sending raw packets, only help an attacker", "set drop: [ALL]",
)  # fmt: skip
def capabilities_kept(live: Live) -> Iterator[Fault]:
    """The restricted standard drops all of them. To a privileged container dropping means nothing."""
    for each in live.containers():
        dropped = [name.upper() for name in dig(each.spec, "securityContext", "capabilities", "drop") or []]
        if "ALL" not in dropped and not dig(each.spec, "securityContext", "privileged"):
            yield Fault(each.workload, _security(each, "capabilities.drop"), ", ".join(dropped))


@check(
    WARNING, STANDARDS, "no system call filter is set", "it can reach kernel vulnerabilities that the runtime's default filter blocks",
    "set seccompProfile: {type: RuntimeDefault}",
)  # fmt: skip
def system_calls(live: Live) -> Iterator[Fault]:
    """``RuntimeDefault`` or ``Localhost``, of the container or the pod."""
    for each in live.containers():
        kind = (each.secured("seccompProfile") or {}).get("type")
        if kind not in ("RuntimeDefault", "Localhost"):
            yield Fault(each.workload, _security(each, "seccompProfile.type"), kind or "")


@check(
    ERROR, STANDARDS, "it shares resources with its node", "what the node isolates from pods, such as its network, processes or files, is open to it",
    "remove the field; data to keep belongs on a volume claim",
    "remove the field with kubectl edit; data to keep belongs in {berth_app_volumes}",
)  # fmt: skip
def host(live: Live) -> Iterator[Fault]:
    """The node's network, processes, memory, paths and ports."""
    for workload in live.workloads():
        spec = pod_spec(workload)
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(field):
                yield Fault(workload, pod_field(workload, field), "true")
        for volume in spec.get("volumes") or []:
            if path := dig(volume, "hostPath", "path"):
                yield Fault(workload, pod_field(workload, f"volumes[{volume['name']}].hostPath.path"), path)
        for each in containers(workload):
            for port in each.spec.get("ports") or []:
                # In the node's network each port is one of the node, and the API server writes it so.
                if port.get("hostPort") and not spec.get("hostNetwork"):
                    yield Fault(workload, f"{each.path}.ports[{port.get('name', port.get('containerPort'))}].hostPort", str(port["hostPort"]))


@check(
    WARNING, f"{CIS} (service account tokens) and {KUBESCAPE}c-0034/", "its pods have a token for the Kubernetes API that nothing uses",
    "an attacker who takes over the app can call the API server with any rights that the account is ever given",
    "set automountServiceAccountToken: false", needs=("Pod",),
)  # fmt: skip
def token(live: Live) -> Iterator[Fault]:
    """An account that is made for an app is made for its token to be used; the account ``default`` is everybody's.

    Whether the account itself says no is up to an object that an environment may not read, so its pods are looked at:
    https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken.
    """
    for workload in live.workloads():
        spec = pod_spec(workload)
        said = spec.get("automountServiceAccountToken")
        if (spec.get("serviceAccountName") or "default") == "default" and (said or (said is None and any(map(_has_token, live.pods(workload))))):
            yield Fault(workload, pod_field(workload, "automountServiceAccountToken"), _shown(said))


def _has_token(pod: Any) -> bool:
    """Whether a pod has the volume that the API server adds to it."""
    projected = [each for each in dig(pod, "spec", "volumes") or [] if each["name"].startswith("kube-api-access-")]
    return any(source.get("serviceAccountToken") for each in projected for source in dig(each, "projected", "sources") or [])


# --- How much ------------------------------------------------------------------
def _lacking(live: Live, wanted: tuple[str, ...]) -> Iterator[Fault]:
    """Yield the containers for which neither they nor a LimitRange say ``wanted`` (https://kubernetes.io/docs/concepts/policy/limit-range/)."""
    limits = [limit for each in live.of("LimitRange") for limit in dig(each, "spec", "limits") or [] if limit.get("type") == "Container"]
    given = {"requests": {**_all(limits, "default"), **_all(limits, "defaultRequest")}, "limits": _all(limits, "default")}
    for each in live.containers():
        for path in wanted:
            kind, name = path.split(".")
            resources = each.spec.get("resources") or {}
            # A limit without a request is the request too: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
            said = (resources.get("limits") or {}) | (resources.get(kind) or {}) if kind == "requests" else resources.get(kind) or {}
            if name not in said and name not in given[kind]:
                yield Fault(each.workload, f"{each.path}.resources.{path}")


def _all(limits: list[Any], field: str) -> dict[str, Any]:
    return {name: value for limit in limits for name, value in (limit.get(field) or {}).items()}


@check(
    WARNING, f"{SCORE} (container-resources)", "it does not request resources", "the scheduler may place it on a node that has no room for it",
    "set it in resources.requests", "set {berth_app_resources}", needs=("LimitRange",),
)  # fmt: skip
def requests(live: Live) -> Iterator[Fault]:
    """CPU and memory; those of a LimitRange count."""
    yield from _lacking(live, ("requests.cpu", "requests.memory"))


@check(
    WARNING, f"{SCORE} (container-resources)", "its memory has no limit", "a leak uses up the node's memory, and other pods on the node are killed",
    "set resources.limits.memory", "set {berth_app_resources}", needs=("LimitRange",),
)  # fmt: skip
def memory_limit(live: Live) -> Iterator[Fault]:
    """Of memory only: a limit of CPU slows a pod down on an idle node."""
    yield from _lacking(live, ("limits.memory",))


# --- Secrets -------------------------------------------------------------------
@check(
    ERROR, f"{KUBESCAPE}c-0012/", "it has a secret in plain text",
    "anyone who may read the object, its history or the repository with its manifest has the secret",
    "put it into a Secret, refer to it with secretKeyRef, and change the secret", "move it to {berth_app_secrets}, run site.yml, and change the secret",
)  # fmt: skip
def secret_in_environment(live: Live) -> Iterator[Fault]:
    """By name and by shape, in ``env`` and in the words of the command."""
    for each in live.containers():
        for variable in each.spec.get("env") or []:
            if "value" in variable and secrecy.setting(variable["name"], str(variable["value"])):
                yield Fault(each.workload, f"{each.path}.env[{variable['name']}].value", UNSHOWN)
        for field in ("command", "args"):
            for where in secrecy.words(map(str, each.spec.get(field) or [])):
                yield Fault(each.workload, f"{each.path}.{field}, {where}", UNSHOWN)


# --- What is in one pod --------------------------------------------------------
@check(
    WARNING, "https://docs.docker.com/engine/containers/multi-service_container/", "several programs run in one container",
    "Kubernetes watches only one of them: the others may hang or exit, and nothing restarts them",
    "give each program its own Deployment", "name each in {berth_app_processes}, and one in {berth_app_command}",
)  # fmt: skip
def several_programs(live: Live) -> Iterator[Fault]:
    """What can be seen of it: a command that starts several. Its words are not shown, for they may hold a secret."""
    for each in live.containers():
        words = [str(word) for word in (each.spec.get("command") or []) + (each.spec.get("args") or [])]
        if found := re.search(SUPERVISORS, " ".join(words)):
            yield Fault(each.workload, f"{each.path}.command", f"it starts {found[0]}")
        elif any(re.fullmatch(SHELL, word) for word in words) and any(re.search(BESIDE, word) for word in words):
            yield Fault(each.workload, f"{each.path}.command", "a shell that starts a background program with &")


@check(
    WARNING, "https://kubernetes.io/docs/concepts/workloads/pods/#how-pods-manage-multiple-containers", "its pods are large",
    "all containers of a pod are scaled, moved and restarted together", "give each program its own workload, and a Service if others call it",
)  # fmt: skip
def large_pod(live: Live) -> Iterator[Fault]:
    """A database beside an app, or more containers than an app and its helpers."""
    for workload in live.workloads(*SERVING):
        found = mains(workload)
        databases = [each for each in found if images.keeps_data(each.image)]
        if len(found) > 1 and databases:
            yield Fault(workload, f"{databases[0].path}.image", f"{databases[0].image}, next to {len(found) - 1} more")
        elif len(found) > SIDECARS:
            yield Fault(workload, pod_field(workload, "containers"), f"{len(found)} containers")


@check(
    WARNING, f"{KUBESCAPE}c-0073/", "nothing recreates this pod", "it is gone when its node is gone, and no update replaces it",
    "make it a Deployment, or a Job if it ends by itself",
)  # fmt: skip
def bare_pod(live: Live) -> Iterator[Fault]:
    """A pod that nothing owns; some operators make their pods themselves."""
    for pod in live.workloads("Pod"):
        if not owners(pod):
            yield Fault(pod, "metadata.ownerReferences")


@check(
    ERROR, "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/", "this database has no volume",
    "its data are lost with its pod", "keep its data on a volume claim (volumeClaimTemplates)", "set {berth_database} to cluster, and run site.yml",
)  # fmt: skip
def database_without_volume(live: Live) -> Iterator[Fault]:
    """Neither a claim, nor another volume that outlives the pod."""
    for workload, each in _databases(live):
        if not _lasting_volumes(workload):
            yield Fault(workload, f"{each.path}.volumeMounts", ", ".join(mount["mountPath"] for mount in each.spec.get("volumeMounts") or []))


@check(
    WARNING, "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/", "this database is not a StatefulSet",
    "an update may start a second server on the same data", "make it a StatefulSet", "set {berth_database} to cluster, and run site.yml",
)  # fmt: skip
def database_in_deployment(live: Live) -> Iterator[Fault]:
    """A Deployment starts the new pod before the old one has ended, unless its strategy is ``Recreate``."""
    for workload, each in _databases(live):
        if workload["kind"] != "StatefulSet" and _lasting_volumes(workload) and dig(workload, "spec", "strategy", "type") != "Recreate":
            yield Fault(workload, f"{each.path}.image", each.image)


def _databases(live: Live) -> Iterator[tuple[Any, Container]]:
    for workload in live.workloads(*LASTING):
        yield from ((workload, each) for each in mains(workload)[:1] if images.keeps_data(each.image))


def _lasting_volumes(workload: Any) -> bool:
    volumes = pod_spec(workload).get("volumes") or []
    lasting = ("persistentVolumeClaim", "nfs", "hostPath")
    return bool(dig(workload, "spec", "volumeClaimTemplates")) or any(volume.get(kind) for volume in volumes for kind in lasting)


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower()


CHECKS = tuple(each for each in vars().copy().values() if isinstance(each, Check))
