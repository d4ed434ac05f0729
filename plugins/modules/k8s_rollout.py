"""Wait for workloads to be rolled out, and say why one is not."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_rollout
short_description: Wait for rollouts, and say why one fails
description:
  - Waits until all given Deployments, StatefulSets, DaemonSets and Jobs have reached their desired state.
  - Fails as soon as one of them is certain to fail. The message says what is wrong, in which pod and container, with the last
    log lines and events, and what to do about it.
  - Pods without a readiness probe must have run for 5 seconds, or for the C(minReadySeconds) of their workload; Kubernetes itself considers them ready
    when they start.
  - All must be complete at the same time. If one that was complete crashes during the wait for another, the wait fails.
  - For a Job that checks a Django project before its release, in an init container C(berth-checks), it explains what the project lacks.
    Findings that do not prevent the release from working are warnings.
  - Only pods of the current revision count, and only what has happened since the wait began.
  - Changes nothing. Values of the Secrets that a pod refers to are replaced by C(***) in its output,
    if the user may read the Secrets.
options:
  kubeconfig:
    description: Path of the kubeconfig; the client's own default (E(KUBECONFIG), then C(~/.kube/config)) if omitted.
    type: path
  context:
    description: Context of the kubeconfig; its current one if omitted.
    type: str
  namespace:
    description: Namespace of the workloads.
    type: str
    required: true
  workloads:
    description: The workloads to wait for, all together.
    type: list
    elements: dict
    required: true
    suboptions:
      kind:
        description: Kind of the workload.
        type: str
        required: true
        choices: [Deployment, StatefulSet, DaemonSet, Job]
      name:
        description: Name of the workload.
        type: str
        required: true
  timeout:
    description: Total seconds to wait.
    type: int
    default: 300
  log_lines:
    description: How many of a container's last log lines to show; 0 for none.
    type: int
    default: 20
  scheduling_grace:
    description:
      - Seconds to wait for a pod that fits on no node.
      - If a cluster autoscaler reports within this time that it adds a node, the module waits for the pod until the timeout.
      - A pod that fits on an empty node also waits while pods elsewhere in the cluster are leaving or began within the last minute, as in another
        environment's release. If the user may not list those pods, it waits for at least a minute.
    type: int
    default: 30
attributes:
  check_mode:
    support: full
    description: Does not wait; returns the current state, including that of workloads that do not exist yet.
  diff_mode:
    support: none
    description: Nothing is changed.
notes:
  - If the environment variable E(BERTH_PROGRESS) names a file, each change of state is appended to it as a line.
seealso:
  - name: kubectl rollout status
    description: A rollout is complete by the same rules.
    link: https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_status/
"""

EXAMPLES = """
- name: Wait for the migration
  berth.platform.k8s_rollout:
    kubeconfig: "{{ app_kubeconfig }}"
    namespace: polls-dev
    workloads:
      - {kind: Job, name: polls-migrate-3f2a}
    timeout: 600

- name: Wait for the database and the site together
  berth.platform.k8s_rollout:
    kubeconfig: "{{ app_kubeconfig }}"
    namespace: polls-dev
    workloads:
      - {kind: StatefulSet, name: postgresql}
      - {kind: Deployment, name: polls}
"""

RETURN = """
workloads:
  description: State of each workload, in the order of the option.
  returned: always
  type: list
  elements: dict
  contains:
    kind: {description: Kind of the workload., type: str}
    name: {description: Name of the workload., type: str}
    revision:
      description:
        - The Deployment's revision number, the name of a StatefulSet's or DaemonSet's ControllerRevision, a Job's uid.
        - Empty if the workload does not exist.
      type: str
    replicas: {description: "Desired pods, or completions of a Job.", type: int}
    ready: {description: "Ready pods, or succeeded pods of a Job.", type: int}
    images: {description: "Images of its containers, init containers last.", type: list, elements: str}
    log: {description: "Last log lines of a complete Job, except in check mode.", type: list, elements: str}
  sample:
    - {kind: Deployment, name: polls, revision: "3", replicas: 2, ready: 2, images: ["localhost:5000/polls@sha256:..."]}
waited:
  description: How long the module waited, in seconds.
  returned: always
  type: float
failure:
  description: The failure in machine-readable form.
  returned: if a rollout failed or was not complete in time
  type: dict
  contains:
    kind: {description: Kind of the workload., type: str}
    name: {description: Name of the workload., type: str}
    cause: {description: "What kind of failure, e.g. C(image-missing), C(crash), C(quota).", type: str}
    reason: {description: "Kubernetes' own word, e.g. C(ErrImagePull).", type: str}
    pod: {description: "The pod, or empty.", type: str}
    container: {description: "The container, or empty.", type: str}
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound, Unreachable
from ..module_utils.kube.objects import Object, dig
from ..module_utils.kube.redact import redact, unshown
from ..module_utils.progress import report
from ..module_utils.rollout import checks, page_error, symptoms
from ..module_utils.rollout.judge import judge, unproved
from ..module_utils.rollout.message import best, describe, symptom_of
from ..module_utils.rollout.model import Finding, Patience, Snapshot, Verdict
from ..module_utils.rollout.placement import wants_room
from ..module_utils.rollout.pods import failing_page, refused_pod
from ..module_utils.rollout.reading import current_pods, event_subjects, events_of, failed_run, selector_of, succeeded, unbound_claims

POLL = 0.5
"""Seconds between two polls."""
LOOK = 2.0
"""Seconds between two inspections of a pod that fails its probes, or of what else is on the nodes."""
LOG_LOOK = 200
"""Lines of its log to search for where it listens."""
LOG_RAISED = 2000
"""Lines of its log to search for the traceback of a failing page."""
LOG_TRIES = 5
"""How often to request the log of a crashed container, POLL seconds apart, while the node has none."""
NOT_LOOKED: tuple[float, Sequence[tuple[str, int]]] = (-LOOK, ())
NOT_SEEN: tuple[float, Sequence[Object], Sequence[Object] | None] = (-LOOK, (), None)


class Failed(Exception):
    """A rollout that will not complete; the text is the message.

    Args:
        message: For the user.
        failure: The module's result.
    """

    def __init__(self, message: str, failure: Mapping[str, str]) -> None:
        super().__init__(message)
        self.failure = dict(failure)


class Rollout:
    """The wait for one workload.

    Args:
        cluster: Where it runs.
        namespace: The workload's namespace.
        kind, name: The workload.
        log_lines: How many lines of a log to show.
        scheduling_grace: Seconds to wait for a pod that fits on no node.
    """

    def __init__(self, cluster: Cluster, namespace: str, kind: str, name: str, log_lines: int, scheduling_grace: int) -> None:
        self.cluster, self.namespace, self.kind, self.name = cluster, namespace, kind, name
        self.log_lines, self.scheduling_grace = log_lines, scheduling_grace
        self.patience = Patience()
        self.snapshot: Snapshot | None = None
        self.verdict: Verdict | None = None
        self.since = ""
        self._told = ""
        self._kept: tuple[str, list[str]] = ("", [])
        self._looked = NOT_LOOKED
        self._surroundings = NOT_SEEN

    def state(self) -> dict[str, Any]:
        """Return the workload's state for the module's result; zeros if it was never seen."""
        if self.verdict:
            return self.verdict.state
        return {"kind": self.kind, "name": self.name, "revision": "", "replicas": 0, "ready": 0, "images": []}

    def look(self) -> bool:
        """Read the workload once and return whether it is complete.

        Raises:
            Failed: It is certain that it will not complete.
            KubeError: It could not be read.
        """
        if self.kind == "Job" and self._was_complete():  # for good, even if it is removed
            return True
        self.snapshot = self._observe()
        self.since = self.since or self.cluster.now
        self.verdict = judge(self.snapshot, self.since, self.scheduling_grace)
        self._tell(self.verdict.progress)
        if self.verdict.complete:
            return True
        if self.kind == "Job":
            self._keep_log()
        certain = self.patience.certain(self.verdict.findings, time.monotonic())
        if certain and certain.cause == "deadline":
            raise self._failed(best(self.verdict.findings) or certain, certain.summary)
        if certain:
            raise self._failed(certain)
        return False

    def overdue(self, timeout: int) -> Failed:
        """Return the failure of a wait that timed out, with the best available explanation."""
        headline = f"The {self.kind} {self.name} is not complete after {timeout} s"
        finding = best(self.verdict.findings) if self.verdict else None
        if not finding:
            progress = self.verdict.progress if self.verdict else "nothing is known of it"
            finding = Finding("waiting", progress, "Timeout")
        return self._failed(finding, headline)

    def remarks(self) -> str:
        """Return the findings of a complete Job that checks a project, "" for none, or for any other Job."""
        containers = dig(self.snapshot.workload, "spec", "template", "spec", "initContainers") if self.snapshot else None
        looks = any(each["name"] == checks.CONTAINER for each in containers or [])
        report = checks.read(self.log_tail(checks.CONTAINER)) if looks else None
        return checks.warning(report) if report else ""

    def log_tail(self, container: str = "") -> list[str]:
        """Return the last log lines of a complete Job without secrets, by default of its first main container; none if they are not available."""
        if not self.snapshot:
            return []
        selector = selector_of(self.snapshot.workload)
        try:
            pods = self.cluster.items("Pod", self.namespace, labelSelector=selector)
        except KubeError:
            return []
        current = current_pods(replace(self.snapshot, pods=pods))
        for pod in reversed(succeeded(current)):
            main = dig(pod, "spec", "containers", 0, "name") or ""
            return self._log(pod["metadata"]["name"], container or main, previous=False)
        return []

    def _was_complete(self) -> bool:
        """Whether it was complete at the previous poll."""
        return self.verdict is not None and self.verdict.complete

    def _tell(self, progress: str) -> None:
        if progress != self._told:
            self._told = progress
            report(f"{self.kind} {self.name}: {progress}")

    def _observe(self) -> Snapshot:
        workload = {**self.cluster.get(self.kind, self.namespace, self.name), "kind": self.kind}
        selector = selector_of(workload)
        revisions = self._list("ControllerRevision", labelSelector=selector) if self.kind == "DaemonSet" else []
        snapshot = Snapshot(workload, revisions=revisions)
        if judge(snapshot).complete and (self._was_complete() or not unproved(workload)):
            return snapshot
        replicasets = self._list("ReplicaSet", labelSelector=selector) if self.kind == "Deployment" else []
        snapshot = replace(
            snapshot,
            pods=self.cluster.items("Pod", self.namespace, labelSelector=selector),
            replicasets=replicasets,
        )
        snapshot = replace(snapshot, now=self.cluster.now)
        claims = {name: self._find("PersistentVolumeClaim", name) for name in unbound_claims(current_pods(snapshot))}
        # A missing claim explains something; one that may not be read does not.
        snapshot = replace(snapshot, claims={name: claim for name, (known, claim) in claims.items() if known})
        events: list[Mapping[str, Any]] = []
        for uid in event_subjects(snapshot):
            events += self._optional("Event", fieldSelector=f"involvedObject.uid={uid}")
        snapshot = replace(snapshot, events=events)
        nodes, neighbours = self._around(snapshot)
        return replace(snapshot, sockets=self._sockets(snapshot), nodes=nodes, neighbours=neighbours)

    def _around(self, snapshot: Snapshot) -> tuple[Sequence[Object], Sequence[Object] | None]:
        """Return the nodes and the pods of all namespaces while the workload waits for room, read every few polls."""
        if not wants_room(snapshot):
            self._surroundings = NOT_SEEN
        elif time.monotonic() - self._surroundings[0] >= LOOK:
            try:
                neighbours = self.cluster.items("Pod", "")
            except Forbidden:
                neighbours = None
            self._surroundings = time.monotonic(), self._optional("Node"), neighbours
        return self._surroundings[1:]

    def _sockets(self, snapshot: Snapshot) -> Sequence[tuple[str, int]]:
        """Return what listens in a pod that fails its probes, read every few polls; from its log if no command can run in it."""
        refused = refused_pod(snapshot)
        if not refused:
            self._looked = NOT_LOOKED
        elif time.monotonic() - self._looked[0] >= LOOK:
            self._looked = time.monotonic(), self._read_sockets(*refused)
        return self._looked[1]

    def _read_sockets(self, pod: str, container: str) -> Sequence[tuple[str, int]]:
        try:
            table = self.cluster.output(self.namespace, pod, container, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
            if found := symptoms.listening(table):
                return found
        except KubeError:
            pass
        try:
            return symptoms.listening_by_log(self.cluster.log(self.namespace, pod, container=container, tailLines=LOG_LOOK).splitlines())
        except KubeError:
            return ()

    def _list(self, kind: str, **query: str) -> list[dict[str, Any]]:
        return self.cluster.items(kind, self.namespace, **query)

    def _optional(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """List objects that only improve the explanation: without the permission the wait continues."""
        try:
            return self._list(kind, **query)
        except Forbidden:
            return []

    def _find(self, kind: str, name: str) -> tuple[bool, dict[str, Any] | None]:
        """Return whether an object could be requested, and the object if it exists."""
        try:
            return True, self.cluster.get(kind, self.namespace, name)
        except NotFound:
            return True, None
        except Forbidden:
            return False, None

    def _pods(self) -> list[Mapping[str, Any]]:
        return current_pods(self.snapshot) if self.snapshot else []

    def _keep_log(self) -> None:
        """Keep the log of a Job's latest failed run, because its pod may be deleted when the Job ends."""
        for pod in reversed(self._pods()):
            failed = failed_run(pod)
            if failed:
                container, run, previous = failed
                if self._kept[0] != run:
                    self._kept = run, self._log(pod["metadata"]["name"], container, previous)
                return

    def _failed(self, finding: Finding, headline: str = "") -> Failed:
        """Collect the explanation of a finding, and return it as a failure."""
        lines: list[str] = []
        if finding.log and finding.pod:
            lines = self._log(finding.pod, finding.container, finding.log == "previous")
        if self.kind == "Job" and not lines:
            lines = self._kept[1]
        subject = next((pod for pod in self._pods() if pod["metadata"]["name"] == finding.pod), None)
        uid = dig(subject or (self.snapshot.workload if self.snapshot else None), "metadata", "uid")
        events = []
        if uid:
            try:
                events = events_of(self._optional("Event", fieldSelector=f"involvedObject.uid={uid}"), uid)
            except KubeError:
                events = []
        values = self._secrets() if finding.message or events else set()
        finding = replace(finding, message=redact(finding.message, values))
        events = [{**event, "message": redact(str(event.get("message") or ""), values)} for event in events]
        workload = self.snapshot.workload if self.snapshot else None
        raised = self._raised(finding, subject) if subject and not page_error.last_traceback(lines) else []
        symptom = symptom_of(finding, raised or lines, workload or {})
        message = describe(self.state(), finding, self.namespace, headline, lines, events, workload, symptom, raised)
        if symptom and symptom.cause == "checks" and (report := checks.read(lines)):
            message = checks.refusal(report, self.name, self.namespace)
        failure = {
            "kind": self.kind,
            "name": self.name,
            "cause": symptom.cause if symptom else finding.cause,
            "reason": finding.reason,
            "pod": finding.pod,
            "container": finding.container,
        }
        return Failed(message, failure)

    def _log(self, pod: str, container: str, previous: bool) -> list[str]:
        """Return a container's last lines without secrets; none if there is no log."""
        if not self.log_lines:
            return []
        query: dict[str, str | int] = {"tailLines": self.log_lines}
        if container:
            query["container"] = container
        for again in reversed(range(LOG_TRIES)):
            gone = False
            for attempt in [{**query, "previous": "true"}, query] if previous else [query]:
                try:
                    text = self.cluster.log(self.namespace, pod, **attempt)
                except (Forbidden, Unreachable):
                    continue
                except KubeError:
                    gone = True
                    continue
                if text.strip():
                    return redact(text, self._secrets()).splitlines()[-self.log_lines :]
            if not (gone and previous and again):
                break
            # The kubelet is about to restart it: the previous container has been removed, and the crashed one is not yet the previous one.
            time.sleep(POLL)
        return []

    def _raised(self, finding: Finding, pod: Mapping[str, Any]) -> list[str]:
        """Return the traceback of the page that a probe requests; none if that is not the problem.

        A server that could not load the app logs that once, before the lines of many requests. Otherwise, request the page.
        """
        probe = failing_page(self.snapshot.workload, finding) if self.snapshot else None
        if probe is None:
            return []
        try:
            log = redact(self.cluster.log(self.namespace, finding.pod, container=finding.container, tailLines=LOG_RAISED), self._secrets()).splitlines()
        except KubeError:
            log = []
        found = page_error.last_traceback(log) or page_error.ask(self.cluster, pod, probe.path, probe.host)
        return found[-self.log_lines :]

    def _secrets(self) -> set[str]:
        spec = dig(self.snapshot.workload, "spec", "template", "spec") if self.snapshot else None
        return unshown(self.cluster, self.namespace, spec or {})


def wait(rollouts: list[Rollout], timeout: int) -> None:
    """Wait until all rollouts are complete.

    Args:
        rollouts: The rollouts, polled in turn, twice a second.
        timeout: Total seconds.

    Raises:
        Failed: One is certain not to complete, or the time is up.
        KubeError: One does not exist or may not be read, or the API server did not answer until the time was up.
    """
    deadline = time.monotonic() + timeout
    pending = rollouts
    silent: Unreachable | None = None
    while True:
        try:
            # Poll all of them each time: one that was complete may crash during the wait for another.
            pending = [rollout for rollout in rollouts if not rollout.look()]
            silent = None
        except Unreachable as error:
            # A control plane that restarts, or a connection that breaks, says nothing about the rollout.
            if silent is None:
                report(f"{error}; trying again")
            silent = error
        if not pending:
            return
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(POLL, left))
    if silent:
        raise Unreachable(f"{silent}. Gave up after {timeout} s; check that the cluster runs (playbooks/cluster.yml).")
    raise pending[0].overdue(timeout)


def current(rollouts: list[Rollout]) -> None:
    """Poll each rollout once, for check mode. One that is missing or fails is not an error there."""
    for rollout in rollouts:
        try:
            rollout.look()
        except (NotFound, Failed):
            continue


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **client.CONNECTION_OPTIONS,
            "workloads": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "kind": {
                        "type": "str",
                        "required": True,
                        "choices": ["Deployment", "StatefulSet", "DaemonSet", "Job"],
                    },
                    "name": {"type": "str", "required": True},
                },
            },
            "timeout": {"type": "int", "default": 300},
            "log_lines": {"type": "int", "default": 20},
            "scheduling_grace": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options = module.params
    start = time.monotonic()
    rollouts: list[Rollout] = []

    def result() -> dict[str, Any]:
        states = [rollout.state() for rollout in rollouts]
        return {"changed": False, "workloads": states, "waited": round(time.monotonic() - start, 1)}

    try:
        cluster = Cluster(options["kubeconfig"], options["context"])
        for each in options["workloads"]:
            rollouts.append(
                Rollout(
                    cluster,
                    options["namespace"],
                    each["kind"],
                    each["name"],
                    options["log_lines"],
                    options["scheduling_grace"],
                )
            )
        if module.check_mode:
            current(rollouts)
            module.exit_json(**result())
        wait(rollouts, options["timeout"])
        for rollout in rollouts:
            if rollout.kind == "Job":
                rollout.state()["log"] = rollout.log_tail()
                if text := rollout.remarks():
                    module.warn(text)
    except Failed as failed:
        module.fail_json(msg=str(failed), failure=failed.failure, **result())
    except NotFound as error:
        module.fail_json(msg=f"There is nothing to wait for: {error}. Apply it first, or correct the name in workloads.", **result())
    except KubeError as error:
        module.fail_json(msg=str(error), **result())
    module.exit_json(**result())


if __name__ == "__main__":
    main()
