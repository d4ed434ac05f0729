"""A rollout is complete when kubectl says so, fails when that is certain, and says why."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube.redact import redact, secret_names, secret_values
from ansible_collections.berth.platform.plugins.module_utils.rollout.advice import ADVICE, advice, advice_of
from ansible_collections.berth.platform.plugins.module_utils.rollout.judge import RANK, judge, state_of
from ansible_collections.berth.platform.plugins.module_utils.rollout.message import best, describe, event_lines
from ansible_collections.berth.platform.plugins.module_utils.rollout.model import (
    CREATED_SOON,
    NEVER,
    RETRIED,
    RETRIED_OLD,
    SCHEDULING,
    SETTLED,
    STARTING_NODE,
    TRANSIENT,
    Finding,
    Patience,
    Snapshot,
)
from ansible_collections.berth.platform.plugins.module_utils.rollout.pull import pull_answer
from ansible_collections.berth.platform.plugins.module_utils.rollout.reading import event_subjects, failed_run, selector_of, unbound_claims
from rollout_objects import (
    IMAGE,
    LATER,
    LONG_AGO,
    SINCE,
    claim,
    condition,
    container,
    crashing,
    daemonset,
    deployment,
    ended,
    event,
    job,
    meta,
    pod,
    ready_pod,
    replicaset,
    statefulset,
    template,
    unschedulable,
    waiting,
)

Json = dict[str, Any]


def of_deployment(*statuses: Json, events: list[tuple[Any, ...]] | None = None, **pod_options: Any) -> Snapshot:
    """Return a Deployment in the middle of a rollout whose new pod has these container statuses."""
    workload = deployment()
    newest = replicaset(workload)
    new = pod(newest, *statuses, **pod_options)
    return Snapshot(
        workload,
        pods=[new],
        replicasets=[replicaset(workload, 1), newest],
        events=[event(new, *each) for each in events or []],
    )


def of_unschedulable(message: str, events: list[tuple[Any, ...]] | None = None, **more: Any) -> Snapshot:
    """Return a Deployment whose new pod no node takes."""
    workload = deployment()
    newest = replicaset(workload)
    new = unschedulable(newest, message)
    return Snapshot(
        workload,
        pods=[new, *more.pop("others", [])],
        replicasets=[newest],
        events=[event(new, *each) for each in events or []],
        **more,
    )


def refused(message: str, **workload: Any) -> Snapshot:
    """Return a Deployment whose new ReplicaSet may not create pods."""
    owner = deployment(**workload)
    newest = replicaset(owner, conditions=[condition("ReplicaFailure", "True", "FailedCreate", message)])
    return Snapshot(owner, replicasets=[newest])


UNAUTHORIZED = "rpc error: code = Internal desc = UnauthorizedOperation"


def with_claim(found: Json | None, *said: tuple[str, str], count: int = 1, chosen: bool = False) -> Snapshot:
    """Return a StatefulSet whose pod waits for a claim, about which events say something, each ``count`` times.

    With ``chosen`` the pod's node is, and its volume is being made there: such a pod has no condition at all.
    """
    workload = statefulset()
    waiting_pod = unschedulable(
        workload,
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found",
        name="postgresql-0",
        labels={"controller-revision-hash": "postgresql-7c9f"},
    )
    waiting_pod["spec"]["volumes"] = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-postgresql-0"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if chosen:
        waiting_pod["status"] = {"phase": "Pending", "nominatedNodeName": "berth"}
    events = [event(found, reason, message, count=count) for reason, message in said] if found else []
    return Snapshot(workload, pods=[waiting_pod], claims={"data-postgresql-0": found}, events=events)


def of_failed_job(reason: str, message: str) -> Snapshot:
    """Return a Job that has just failed and still has its pod."""
    workload = job(condition("FailureTarget", "True", reason, message))
    failed = pod(workload, container(state=ended(1)), name="polls-migrate-3f2a-x", phase="Failed")
    return Snapshot(workload, pods=[failed])


@pytest.mark.parametrize(("reason", "way"), [("OOMKilled", "Raise the memory limit in berth_app_resources"), ("Error", "Fix what the log shows")])
def test_a_job_that_is_killed_for_its_memory_is_told_to_get_more(reason: str, way: str) -> None:
    failed = job(condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit"))
    killed = pod(failed, container(state=ended(137, reason)), phase="Failed")
    best_finding = best(judge(Snapshot(failed, pods=[killed])).findings)
    assert best_finding and advice_of(best_finding, failed).startswith(way)


PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '

# Each breakage: (what is broken, snapshot, cause, first line, grace in seconds, reason).
BREAKAGES: list[tuple[str, Snapshot, str, str, float, str]] = [
    (
        "an image that the registry does not have",
        of_deployment(waiting("ErrImagePull", f"rpc error: code = NotFound desc = {PULL}{IMAGE}: not found")),
        "image-missing",
        f"The image {IMAGE} cannot be pulled: the registry has no such image",
        0,
        "ErrImagePull",
    ),
    (
        "an image that the registry does not have, in back-off",
        of_deployment(
            waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {PULL}{IMAGE}: not found'),
        ),
        "image-missing",
        f"The image {IMAGE} cannot be pulled: the registry has no such image",
        0,
        "ImagePullBackOff",
    ),
    (
        "a back-off that hides its error, which the event tells",
        of_deployment(
            waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"'),
            events=[("Failed", f'Failed to pull image "{IMAGE}": manifest unknown: manifest unknown')],
        ),
        "image-missing",
        f"The image {IMAGE} cannot be pulled: the registry has no such image",
        0,
        "ImagePullBackOff",
    ),
    (
        "a registry that refuses access",
        of_deployment(
            waiting(
                "ErrImagePull",
                f"{PULL}pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            )
        ),
        "image-denied",
        f"The image {IMAGE} cannot be pulled: the registry denies access, or has no such repository",
        0,
        "ErrImagePull",
    ),
    (
        "an image for another processor",
        of_deployment(waiting("ErrImagePull", f"{PULL}no match for platform in manifest: not found")),
        "image-missing",
        f"The image {IMAGE} cannot be pulled: it is not built for the node's platform",
        0,
        "ErrImagePull",
    ),
    (
        "a registry whose name does not resolve",
        of_deployment(waiting("ErrImagePull", f"{PULL}dial tcp: lookup registry.invalid on 10.96.0.10:53: no such host")),
        "registry",
        f"The image {IMAGE} cannot be pulled: the registry's name does not resolve",
        0,
        "ErrImagePull",
    ),
    (
        "a registry whose certificate is unknown",
        of_deployment(
            waiting(
                "ErrImagePull",
                f"{PULL}tls: failed to verify certificate: x509: certificate signed by unknown authority",
            )
        ),
        "registry",
        f"The image {IMAGE} cannot be pulled: the node does not trust the registry's certificate",
        0,
        "ErrImagePull",
    ),
    (
        "a registry that is down, which may come back",
        of_deployment(waiting("ErrImagePull", f"{PULL}dial tcp 127.0.0.1:5000: connect: connection refused")),
        "registry",
        f"The image {IMAGE} cannot be pulled: the registry does not answer",
        TRANSIENT,
        "ErrImagePull",
    ),
    (
        "a registry's rate limit",
        of_deployment(waiting("ErrImagePull", f"{PULL}429 Too Many Requests: toomanyrequests: You have reached your pull rate limit")),
        "registry",
        f"The image {IMAGE} cannot be pulled: the registry's rate limit has been reached",
        TRANSIENT,
        "ErrImagePull",
    ),
    (
        "an image name that is no name",
        of_deployment(
            waiting(
                "InvalidImageName",
                'Failed to apply default image tag "Polls:": couldn\'t parse image name "Polls:": invalid reference format',
                image="Polls:",
            )
        ),
        "image-name",
        "The image name Polls: is not valid",
        0,
        "InvalidImageName",
    ),
    (
        "an image that must be on the node and is not",
        of_deployment(waiting("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never')),
        "image-never",
        f"The image {IMAGE} is not on the node",
        0,
        "ErrImageNeverPull",
    ),
    (
        "a key that the Secret lacks",
        of_deployment(waiting("CreateContainerConfigError", "couldn't find key DJANGO_SECRET_KEY in Secret polls-dev/polls")),
        "config",
        "The Secret polls has no key DJANGO_SECRET_KEY, which container web needs",
        RETRIED,
        "CreateContainerConfigError",
    ),
    (
        "a ConfigMap that does not exist",
        of_deployment(waiting("CreateContainerConfigError", 'configmap "polls-settings" not found')),
        "config",
        "There is no ConfigMap polls-settings, which container web needs",
        RETRIED,
        "CreateContainerConfigError",
    ),
    (
        "a Secret that the kubelet has not read yet",
        of_deployment(waiting("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition")),
        "config",
        "The container web cannot be configured",
        TRANSIENT,
        "CreateContainerConfigError",
    ),
    (
        "a kubelet that has just started",
        of_deployment(waiting("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars")),
        "starting",
        "The node's kubelet has just started, and has not read the Services yet",
        NEVER,
        "CreateContainerConfigError",
    ),
    (
        "an image that runs as root where that is forbidden",
        of_deployment(waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: polls)")),
        "config",
        "The image of container web runs as root, which the pod does not allow (runAsNonRoot)",
        RETRIED,
        "CreateContainerConfigError",
    ),
    (
        "a command that the image does not have",
        of_deployment(
            waiting(
                "RunContainerError",
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
                'failed: unable to start container process: exec: "gunicorn": executable file not found in $PATH',
            )
        ),
        "command",
        "The container web cannot be started",
        RETRIED,
        "RunContainerError",
    ),
    (
        "a container that the runtime cannot make",
        of_deployment(waiting("CreateContainerError", 'failed to generate container "web" spec: invalid mount')),
        "container",
        "The container web cannot be started",
        RETRIED,
        "CreateContainerError",
    ),
    (
        "a process that crashes",
        of_deployment(crashing(ended(1), restarts=1)),
        "crash",
        "The container web crashes: it ended with exit code 1, 2 times",
        0,
        "Error",
    ),
    (
        "an init container that crashes",
        of_deployment(
            waiting("PodInitializing"),
            init=crashing(ended(3), restarts=2) | {"name": "wait"},
        ),
        "crash",
        "The container wait crashes: it ended with exit code 3, 3 times",
        0,
        "Error",
    ),
    (
        "an init container that has crashed twice and whose back-off has begun",
        of_deployment(
            waiting("PodInitializing"),
            init=container("wait", restartCount=1, state=ended(3), lastState=ended(3)),
        ),
        "crash",
        "The container wait crashes: it ended with exit code 3, 2 times",
        0,
        "Error",
    ),
    (
        "a process that has crashed twice and runs again",
        of_deployment(container(restartCount=2, state={"running": {"startedAt": LATER}}, lastState=ended(1)), phase="Running"),
        "crash",
        "The container web crashes: it ended with exit code 1, 2 times",
        CREATED_SOON,
        "Error",
    ),
    (
        "a process that ends by itself",
        of_deployment(crashing(ended(0, "Completed"))),
        "ended",
        "The container web ended by itself (exit code 0), 2 times",
        0,
        "Completed",
    ),
    (
        "a process that uses more memory than it may",
        of_deployment(crashing(ended(137, "OOMKilled"))),
        "memory",
        "The container web uses more memory than its limit and is killed (OOMKilled)",
        0,
        "OOMKilled",
    ),
    (
        "a process that its liveness probe restarts",
        of_deployment(
            crashing(ended(137)),
            events=[("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", LATER, "Warning", "web")],
        ),
        "liveness",
        "The container web fails its liveness probe and is restarted",
        0,
        "Error",
    ),
    (
        "a process that ends by itself before its probe is answered",
        of_deployment(
            crashing(ended(0, "Completed")),
            events=[("Unhealthy", "Startup probe failed: dial tcp 10.244.0.16:8000: connect: connection refused", LATER, "Warning", "web")],
        ),
        "ended",
        "The container web ended by itself (exit code 0), 2 times",
        0,
        "Completed",
    ),
    (
        "a process that its startup probe restarts and that ends in order",
        of_deployment(
            crashing(ended(0, "Completed")),
            events=[
                ("Killing", "Container web failed startup probe, will be restarted", LATER, "Normal", "web"),
                ("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 500", LATER, "Warning", "web"),
            ],
        ),
        "liveness",
        "The container web fails its startup probe and is restarted",
        0,
        "Completed",
    ),
    (
        "a process that is never ready",
        of_deployment(
            container(state={"running": {"startedAt": LATER}}),
            phase="Running",
            events=[("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", LATER, "Warning", "web")],
        ),
        "readiness",
        "The container web runs but is not ready",
        NEVER,
        "NotReady",
    ),
    (
        "a quota without room",
        refused('pods "polls-2-abcde" is forbidden: exceeded quota: polls, requested: pods=1, used: pods=4, limited: pods=4'),
        "quota",
        "The quota polls has no room for the pod",
        CREATED_SOON,
        "FailedCreate",
    ),
    (
        "a quota that wants requests",
        refused('pods "polls-2-abcde" is forbidden: failed quota: polls: must specify limits.memory for: web; requests.cpu for: web'),
        "quota",
        "The quota polls requires requests and limits in the pod",
        SETTLED,
        "FailedCreate",
    ),
    (
        "a LimitRange",
        refused('pods "polls-2-abcde" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'),
        "quota",
        "A LimitRange rejects the pod",
        SETTLED,
        "FailedCreate",
    ),
    (
        "a Pod Security level",
        refused(
            'pods "polls-2-abcde" is forbidden: violates PodSecurity "restricted:latest": '
            'allowPrivilegeEscalation != false (container "web" must set securityContext.allowPrivilegeEscalation=false)'
        ),
        "pod-security",
        "Pod Security (restricted:latest) rejects the pod",
        SETTLED,
        "FailedCreate",
    ),
    (
        "an admission webhook that says no",
        refused('admission webhook "images.example.org" denied the request: only signed images'),
        "webhook",
        "The admission webhook images.example.org rejects the pod",
        SETTLED,
        "FailedCreate",
    ),
    (
        "an admission webhook that is down",
        refused(
            'Internal error occurred: failed calling webhook "images.example.org": failed to call webhook: '
            'Post "https://hook.default.svc:443/": context deadline exceeded: timeout'
        ),
        "webhook-down",
        "The admission webhook images.example.org does not answer",
        TRANSIENT,
        "FailedCreate",
    ),
    (
        "a ServiceAccount that does not exist",
        refused('pods "polls-2-" is forbidden: error looking up service account polls-dev/polls: serviceaccount "polls" not found'),
        "serviceaccount",
        "There is no ServiceAccount polls",
        CREATED_SOON,
        "FailedCreate",
    ),
    (
        "a quota that has just been made",
        refused('pods "polls-2-abcde" is forbidden: status unknown for quota: polls, resources: pods'),
        "refused",
        "The pod cannot be created",
        TRANSIENT,
        "FailedCreate",
    ),
    (
        "too little processor",
        of_unschedulable("0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."),
        "resources",
        "No node has room for the pod (cpu)",
        SCHEDULING,
        "Unschedulable",
    ),
    (
        "a node selector that no node meets",
        of_unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "),
        "placement",
        "No node matches the pod's placement rules",
        SCHEDULING,
        "Unschedulable",
    ),
    (
        "a node that is starting",
        of_unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint(s) {node.kubernetes.io/not-ready: }."),
        "placement",
        "No node matches the pod's placement rules",
        STARTING_NODE,
        "Unschedulable",
    ),
    (
        "a pod for which an autoscaler makes a node",
        of_unschedulable(
            "0/1 nodes are available: 1 Insufficient cpu.",
            events=[("Nominated", "Pod should schedule on: nodeclaim/general-x7x2q", LATER, "Normal")],
        ),
        "resources",
        "No node has room for the pod (cpu)",
        NEVER,
        "Unschedulable",
    ),
    (
        "a claim without a StorageClass",
        with_claim(claim(), ("FailedBinding", "no persistent volumes available for this claim and no storage class is set")),
        "volume",
        "The PersistentVolumeClaim data-postgresql-0 has no StorageClass, and the cluster has no default one",
        CREATED_SOON,
        "Unschedulable",
    ),
    (
        "a claim for a StorageClass that does not exist",
        with_claim(claim(storage_class="gp3"), ("ProvisioningFailed", 'storageclass.storage.k8s.io "gp3" not found')),
        "volume",
        "The PersistentVolumeClaim data-postgresql-0 needs the StorageClass gp3, which does not exist",
        CREATED_SOON,
        "Unschedulable",
    ),
    (
        "a claim whose provisioner fails again and again",
        with_claim(claim(storage_class="gp3"), ("ProvisioningFailed", UNAUTHORIZED), count=3),
        "volume",
        "No volume can be created for the PersistentVolumeClaim data-postgresql-0",
        TRANSIENT,
        "Unschedulable",
    ),
    (
        "a claim whose provisioner failed once, and tries again",
        with_claim(claim(storage_class="gp3"), ("ProvisioningFailed", UNAUTHORIZED)),
        "volume",
        "No volume can be created for the PersistentVolumeClaim data-postgresql-0",
        NEVER,
        "Unschedulable",
    ),
    (
        "a claim whose provisioner fails for the node that was chosen",
        with_claim(claim(storage_class="gp3"), ("ProvisioningFailed", UNAUTHORIZED), count=3, chosen=True),
        "volume",
        "No volume can be created for the PersistentVolumeClaim data-postgresql-0",
        TRANSIENT,
        "Pending",
    ),
    (
        "a claim whose volume is being made for the node that was chosen",
        with_claim(claim(storage_class="gp3"), ("ExternalProvisioning", "Waiting for a volume"), chosen=True),
        "volume",
        "The PersistentVolumeClaim data-postgresql-0 is not bound to a volume",
        NEVER,
        "Pending",
    ),
    (
        "a claim that has lost its volume",
        with_claim(claim("Lost")),
        "volume",
        "The PersistentVolumeClaim data-postgresql-0 has lost its volume",
        0,
        "Unschedulable",
    ),
    (
        "a claim that does not exist",
        with_claim(None),
        "volume",
        "There is no PersistentVolumeClaim data-postgresql-0",
        CREATED_SOON,
        "Unschedulable",
    ),
    (
        "a Secret that a volume needs",
        of_deployment(
            waiting("ContainerCreating"),
            events=[("FailedMount", 'MountVolume.SetUp failed for volume "tls" : secret "polls-tls" not found')],
        ),
        "config",
        "There is no Secret polls-tls, which a volume needs",
        CREATED_SOON,
        "FailedMount",
    ),
    (
        "a volume that is attached elsewhere",
        of_deployment(
            waiting("ContainerCreating"),
            events=[("FailedAttachVolume", "Multi-Attach error for volume pvc-1: already used by pod(s) polls-1-x")],
        ),
        "mount",
        "A volume cannot be mounted",
        NEVER,
        "FailedAttachVolume",
    ),
    (
        "a Deployment that is paused",
        Snapshot(deployment(spec={"paused": True})),
        "paused",
        "The rollout is paused",
        SETTLED,
        "DeploymentPaused",
    ),
    (
        "a deadline that has passed",
        Snapshot(
            deployment(
                spec={"progressDeadlineSeconds": 30},
                conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out", LATER)],
            )
        ),
        "deadline",
        "There was no progress for 30 s (progressDeadlineSeconds)",
        SETTLED,
        "ProgressDeadlineExceeded",
    ),
    (
        "a Job that used up its retries",
        of_failed_job("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
        "job",
        "The Job used up its retries (backoffLimit): container web ended with exit code 1",
        0,
        "BackoffLimitExceeded",
    ),
    (
        "a Job that took too long",
        Snapshot(job(condition("Failed", "True", "DeadlineExceeded", "Job was active longer"), spec={"activeDeadlineSeconds": 300})),
        "job-deadline",
        "The Job took longer than its 300 s (activeDeadlineSeconds)",
        0,
        "DeadlineExceeded",
    ),
    (
        "a Job that its podFailurePolicy ends",
        Snapshot(job(condition("Failed", "True", "PodFailurePolicy", "Container web failed with exit code 42"))),
        "job",
        "The Job failed, and a retry would not help",
        0,
        "PodFailurePolicy",
    ),
    (
        "a Job that is suspended",
        Snapshot(job(spec={"suspend": True})),
        "paused",
        "The Job is suspended (spec.suspend)",
        SETTLED,
        "JobSuspended",
    ),
]


@pytest.mark.parametrize(
    ("message", "way"),
    [
        ('secret "polls-2d5888bb02" not found', "run site.yml without --tags, or include the tag config"),
        ('configmap "polls-0011223344" not found', "run site.yml without --tags, or include the tag config"),
        ('secret "polls-tls" not found', "berth_app_secrets or berth_app_settings"),
    ],
)
def test_a_configuration_that_the_inventory_no_longer_has_is_applied_and_not_added_to(message: str, way: str) -> None:
    snapshot = of_deployment(waiting("CreateContainerConfigError", message))
    [finding] = judge(snapshot, SINCE).findings
    assert way in advice_of(finding, snapshot.workload)


@pytest.mark.parametrize(
    ("snapshot", "cause", "summary", "grace", "reason"),
    [pytest.param(*case[1:], id=case[0]) for case in BREAKAGES],
)
def test_each_breakage_has_its_diagnosis(snapshot: Snapshot, cause: str, summary: str, grace: float, reason: str) -> None:
    """The first finding names what is broken, and how long it must last to be certain."""
    verdict = judge(snapshot, SINCE)
    found = verdict.findings[0]
    assert not verdict.complete
    assert (found.cause, found.summary, found.grace, found.reason) == (cause, summary, grace, reason)


@pytest.mark.parametrize(("snapshot", "cause"), [pytest.param(case[1], case[2], id=case[0]) for case in BREAKAGES])
def test_each_message_says_what_is_wrong_where_and_what_to_do(snapshot: Snapshot, cause: str) -> None:
    """The first line is what is wrong, the second where, the last what to do."""
    verdict = judge(snapshot, SINCE)
    found = verdict.findings[0]
    lines = describe(verdict.state, found, "polls-dev").splitlines()
    assert lines[0] == f"{found.summary}."
    assert lines[1].startswith(f"{verdict.state['kind']} {verdict.state['name']} in namespace polls-dev")
    assert lines[1].endswith(f": {found.reason}")
    assert lines[-1] == f"What to do: {advice(cause, {})}"


@pytest.mark.parametrize(
    ("component", "words"),
    [
        ("release", "raise berth_app_timeout"),
        ("web", "raise berth_app_timeout"),
        ("database", "raise berth_database_timeout"),
        ("schedule", "raise the timeout of the schedule in berth_app_schedules"),
        ("somebody-elses", "give it more time"),
    ],
)
@pytest.mark.parametrize("cause", ["job-deadline", "deadline", "waiting"])
def test_what_only_needs_more_time_is_told_by_which_variable_it_gets_it(cause: str, component: str, words: str) -> None:
    workload = {"metadata": {"labels": {"app.kubernetes.io/component": component}}}
    assert words in advice(cause, workload)
    assert "{" not in advice(cause, {})


@pytest.mark.parametrize(
    ("component", "words"),
    [
        ("release", "correct berth_app_release_commands"),
        ("web", "correct berth_app_command"),
        ("schedule", "correct the command in berth_app_schedules"),
        ("process", "correct its command in berth_app_processes"),
        ("database", "correct the container's command"),
        ("somebody-elses", "correct the container's command"),
    ],
)
@pytest.mark.parametrize("cause", ["command", "ended"])
def test_a_command_that_is_wrong_is_told_with_its_variable(cause: str, component: str, words: str) -> None:
    assert words in advice(cause, {"metadata": {"labels": {"app.kubernetes.io/component": component}}})


@pytest.mark.parametrize(
    ("cause", "web", "process"),
    [
        ("memory", "limit in berth_app_resources,", "limit in its resources in berth_app_processes,"),
        ("quota", "Lower berth_app_resources or berth_app_replicas,", "Lower its resources in berth_app_processes or its replicas there,"),
        ("resources", "in berth_app_resources or berth_app_replicas,", "in its resources in berth_app_processes or its replicas there,"),
    ],
)
def test_what_a_process_takes_is_told_with_its_own_variable(cause: str, web: str, process: str) -> None:
    for component, words in (("web", web), ("process", process)):
        assert words in advice(cause, {"metadata": {"labels": {"app.kubernetes.io/component": component}}})


def test_a_job_that_took_too_long_is_told_with_the_command_that_was_at_work() -> None:
    """The commands of a release are init containers, and one after another."""
    workload = job(condition("FailureTarget", "True", "DeadlineExceeded", "Job was active longer"), spec={"activeDeadlineSeconds": 300})
    at_work = {"name": "migrate", "state": {"running": {"startedAt": LATER}}}
    done = {"name": "check", "state": {"terminated": {"exitCode": 0}}}
    ending = pod(workload, waiting("PodInitializing"), phase="Running")
    ending["status"]["initContainerStatuses"] = [done, at_work]
    found = judge(Snapshot(workload, pods=[ending]), SINCE).findings[0]
    assert found.summary == "The Job took longer than its 300 s (activeDeadlineSeconds): container migrate was still running"
    assert (found.container, found.log) == ("migrate", "current")


def test_every_cause_has_a_rank_and_is_tried_here() -> None:
    """A cause without a test is advice that nobody has read."""
    tried = {case[2] for case in BREAKAGES}
    elsewhere = {"waiting", "evicted", "terminating"}
    assert set(ADVICE) == tried | elsewhere
    asked_of_the_app = {"answer", "port", "loopback"}  # what they advise depends on the probe: test_symptoms.py
    assert set(ADVICE) - {"waiting"} | asked_of_the_app == set(RANK)


DONE = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
COMPLETE: list[tuple[str, Snapshot]] = [
    ("a Deployment", Snapshot(deployment(**DONE))),
    ("a Deployment of none", Snapshot(deployment(spec={"replicas": 0}, replicas=0, updatedReplicas=0))),
    ("a StatefulSet", Snapshot(statefulset(readyReplicas=1, updatedReplicas=1))),
    (
        "a StatefulSet up to its partition",
        Snapshot(
            statefulset(
                {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}},
                readyReplicas=3,
                updatedReplicas=1,
                currentRevision="postgresql-old",
            )
        ),
    ),
    (
        "a StatefulSet whose pods are replaced by hand",
        Snapshot(statefulset({"updateStrategy": {"type": "OnDelete"}}, readyReplicas=1, currentRevision="postgresql-old")),
    ),
    ("a DaemonSet", Snapshot(daemonset(updatedNumberScheduled=2, numberAvailable=2, numberReady=2))),
    (
        "a DaemonSet whose pods are replaced by hand",
        Snapshot(daemonset({"updateStrategy": {"type": "OnDelete"}}, updatedNumberScheduled=0, numberAvailable=2)),
    ),
    ("a Job", Snapshot(job(condition("SuccessCriteriaMet"), condition("Complete"), succeeded=1))),
]


@pytest.mark.parametrize("snapshot", [pytest.param(case[1], id=case[0]) for case in COMPLETE])
def test_a_rollout_is_complete(snapshot: Snapshot) -> None:
    """What kubectl rollout status calls done is done, and has nothing to complain about."""
    verdict = judge(snapshot, SINCE)
    assert verdict.complete
    assert verdict.findings == ()


UNFINISHED: list[tuple[str, Snapshot, str]] = [
    (
        "a Deployment whose controller has not seen the change",
        Snapshot(deployment(observedGeneration=0, replicas=2, updatedReplicas=2, availableReplicas=2)),
        "0 of 2 pods ready",
    ),
    (
        "a Deployment whose old pods are still there",
        Snapshot(deployment(replicas=3, updatedReplicas=2, availableReplicas=3)),
        "0 of 2 pods ready, 1 pod of the previous revision left",
    ),
    (
        "a Deployment whose new pods are not available",
        Snapshot(deployment(replicas=2, updatedReplicas=2, availableReplicas=1)),
        "0 of 2 pods ready",
    ),
    (
        "a StatefulSet that was never seen",
        Snapshot(statefulset(observedGeneration=0, readyReplicas=1)),
        "0 of 1 pod ready",
    ),
    ("a StatefulSet whose pod is not ready", Snapshot(statefulset(readyReplicas=0)), "0 of 1 pod ready"),
    (
        "a StatefulSet that is not updated",
        Snapshot(statefulset(readyReplicas=1, updatedReplicas=0)),
        "0 of 1 pod ready",
    ),
    (
        "a DaemonSet that is not updated",
        Snapshot(daemonset(updatedNumberScheduled=1, numberAvailable=2)),
        "0 of 2 pods ready",
    ),
    (
        "a DaemonSet that is not available",
        Snapshot(daemonset(updatedNumberScheduled=2, numberAvailable=1)),
        "0 of 2 pods ready",
    ),
    ("a Job whose pods have not all ended", Snapshot(job(condition("SuccessCriteriaMet"))), "no pod yet"),
    (
        "a pod whose image is being pulled",
        of_deployment(waiting("ContainerCreating")),
        "0 of 2 pods ready (polls-2-abcde: ContainerCreating)",
    ),
    (
        "a pod whose init container runs",
        of_deployment(waiting("PodInitializing"), init=container("wait", state={"running": {"startedAt": LATER}})),
        "0 of 2 pods ready (polls-2-abcde: Init:wait)",
    ),
]


@pytest.mark.parametrize(("snapshot", "progress"), [pytest.param(*case[1:], id=case[0]) for case in UNFINISHED])
def test_a_rollout_that_goes_on_is_neither_complete_nor_failed(snapshot: Snapshot, progress: str) -> None:
    """Nothing that is merely unfinished is ever certain, and the progress says where it stands."""
    verdict = judge(snapshot, SINCE)
    assert not verdict.complete
    assert [finding for finding in verdict.findings if finding.grace != NEVER] == []
    assert verdict.progress == progress


@pytest.mark.parametrize(("now", "complete"), [("2026-03-01T12:00:04Z", False), ("2026-03-01T12:00:05Z", True)], ids=["4 s", "5 s"])
def test_a_pod_without_a_readiness_probe_must_run_for_a_while(now: str, complete: bool) -> None:
    """Kubernetes calls it ready as it starts, also when it crashes a moment later."""
    workload = deployment(**DONE)
    del workload["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    newest = replicaset(workload)
    evicted = pod(newest, name="polls-2-out", phase="Failed", reason="Evicted")
    pods = [ready_pod(newest, "polls-2-a"), ready_pod(newest, "polls-2-b"), evicted]
    verdict = judge(Snapshot(workload, pods=pods, replicasets=[newest], now=now), SINCE)
    assert verdict.complete is complete
    assert ("must stay ready for 5 s" in verdict.progress) is not complete


def test_a_pod_without_a_readiness_probe_that_has_just_crashed_is_not_complete() -> None:
    """Its Deployment's status may still count it."""
    workload = deployment(**DONE)
    del workload["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    newest = replicaset(workload)
    snapshot = Snapshot(workload, pods=[pod(newest, crashing(ended(1)))], replicasets=[newest], now=LATER)
    verdict = judge(snapshot, SINCE)
    assert not verdict.complete
    assert verdict.findings[0].cause == "crash"


# -- Only the current revision counts


def test_a_crashing_pod_of_the_previous_revision_does_not_fail_a_deployment() -> None:
    """The old ReplicaSet's pods go anyway."""
    workload = deployment()
    old, new = replicaset(workload, 9), replicaset(workload, 10)
    snapshot = Snapshot(
        workload,
        pods=[pod(old, crashing(ended(1)), name="polls-9-old"), ready_pod(new, name="polls-10-new")],
        replicasets=[new, old],
    )
    assert judge(snapshot, SINCE).findings == ()


def test_a_crashing_pod_of_the_previous_revision_does_not_fail_a_statefulset() -> None:
    """Only the update revision's pods count."""
    workload = statefulset()
    old = pod(workload, crashing(ended(1)), labels={"controller-revision-hash": "postgresql-old"})
    assert judge(Snapshot(workload, pods=[old]), SINCE).findings == ()


def test_a_daemonset_is_judged_by_the_pods_of_its_newest_revision() -> None:
    """Its pods carry the hash only, and the newest ControllerRevision tells which one is current."""
    workload = daemonset()
    revisions = [{"metadata": meta(f"agent-{name}", f"cr-{name}", workload), "revision": number} for number, name in ((1, "5d4f"), (2, "77bc"))]
    pods = [
        pod(workload, crashing(ended(1)), name="agent-old", labels={"controller-revision-hash": "5d4f"}),
        pod(workload, crashing(ended(2)), name="agent-new", labels={"controller-revision-hash": "77bc"}),
    ]
    verdict = judge(Snapshot(workload, pods=pods, revisions=revisions), SINCE)
    assert [finding.pod for finding in verdict.findings] == ["agent-new"]
    assert verdict.state["revision"] == "agent-77bc"


def test_a_pod_of_another_owner_with_the_same_labels_does_not_count() -> None:
    """Labels may be shared, ownership may not."""
    workload = deployment()
    stranger = replicaset(deployment() | {"metadata": meta("other", "d-2")})
    snapshot = Snapshot(workload, pods=[pod(stranger, crashing(ended(1)))], replicasets=[stranger])
    assert judge(snapshot, SINCE).findings == ()


def test_a_pod_that_is_being_deleted_does_not_count() -> None:
    """It is not what will run."""
    snapshot = of_deployment(crashing(ended(1)))
    snapshot.pods[0]["metadata"]["deletionTimestamp"] = LATER
    assert judge(snapshot, SINCE).findings == ()


def test_a_job_decides_itself_when_its_containers_have_failed_too_often() -> None:
    """A crash within backoffLimit is no failure."""
    workload = job(spec={"backoffLimit": 4}, active=1)
    snapshot = Snapshot(workload, pods=[pod(workload, crashing(ended(1)), name="polls-migrate-3f2a-x")])
    assert judge(snapshot, SINCE).findings == ()


def test_a_jobs_image_that_cannot_be_pulled_is_certain_since_no_backoff_limit_counts_it() -> None:
    """Such a Job hangs for ever."""
    workload = job()
    snapshot = Snapshot(workload, pods=[pod(workload, waiting("ErrImagePull", "manifest unknown"))])
    found = judge(snapshot, SINCE).findings[0]
    assert (found.cause, found.grace) == ("image-missing", 0)


def test_a_job_is_complete_when_its_pod_has_succeeded_although_its_status_follows_later() -> None:
    """The controller needs a second or two to count it."""
    workload = job(active=1)
    done = pod(workload, container(state=ended(0, "Completed")), phase="Succeeded")
    verdict = judge(Snapshot(workload, pods=[done]), SINCE)
    assert (verdict.complete, verdict.progress, verdict.state["ready"]) == (True, "complete", 1)


def test_a_job_is_complete_when_its_pods_containers_have_ended_well_although_the_kubelet_says_so_later() -> None:
    """The pod's phase follows a second or two after them."""
    workload = job(active=1)
    done = pod(workload, container(state=ended(0, "Completed")), phase="Running")
    half = pod(workload, container(state=ended(0, "Completed")), container("proxy", state={"running": {}}), phase="Running")
    assert judge(Snapshot(workload, pods=[done]), SINCE).complete
    assert not judge(Snapshot(workload, pods=[half]), SINCE).complete


def test_a_job_that_failed_is_not_complete_because_a_pod_succeeded() -> None:
    """It may have been over its deadline."""
    workload = job(condition("Failed", reason="DeadlineExceeded"))
    done = pod(workload, container(state=ended(0, "Completed")), phase="Succeeded")
    assert not judge(Snapshot(workload, pods=[done]), SINCE).complete


# -- Old evidence


def test_a_back_off_from_before_the_wait_is_not_certain() -> None:
    """A registry may have been repaired since the last try, which can be five minutes ago."""
    workload = deployment(created=LONG_AGO)
    newest = replicaset(workload)
    backing_off = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {IMAGE}: not found')
    stuck = pod(newest, backing_off, created=LONG_AGO)
    snapshot = Snapshot(workload, pods=[stuck], replicasets=[newest])
    assert judge(snapshot, SINCE).findings[0].grace == NEVER


def test_a_back_off_from_before_the_wait_is_certain_once_it_has_failed_again() -> None:
    """The event's time tells that the image was tried again since."""
    workload = deployment(created=LONG_AGO)
    newest = replicaset(workload)
    backing_off = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: {IMAGE}: not found')
    stuck = pod(newest, backing_off, created=LONG_AGO)
    again = event(stuck, "Failed", f'Failed to pull image "{IMAGE}": {IMAGE}: not found', LATER)
    snapshot = Snapshot(workload, pods=[stuck], replicasets=[newest], events=[again])
    assert judge(snapshot, SINCE).findings[0].grace == 0


@pytest.mark.parametrize(("at", "grace"), [(LONG_AGO, NEVER), (LATER, 0)])
def test_an_old_pods_crash_counts_only_when_it_was_since_the_wait_began(at: str, grace: float) -> None:
    """The database that it lacked may be there now."""
    workload = deployment(created=LONG_AGO)
    newest = replicaset(workload)
    stuck = pod(newest, crashing(ended(1, at=at), restarts=9), created=LONG_AGO)
    snapshot = Snapshot(workload, pods=[stuck], replicasets=[newest])
    assert judge(snapshot, SINCE).findings[0].grace == grace


def test_an_old_pods_configuration_error_is_given_time_for_another_try() -> None:
    """The kubelet tries again within 15 s."""
    workload = deployment(created=LONG_AGO)
    newest = replicaset(workload)
    stuck = pod(newest, waiting("CreateContainerConfigError", 'secret "polls" not found'), created=LONG_AGO)
    snapshot = Snapshot(workload, pods=[stuck], replicasets=[newest])
    assert judge(snapshot, SINCE).findings[0].grace == RETRIED_OLD


def test_a_deadline_that_had_passed_before_the_wait_is_not_certain() -> None:
    """The controller goes on trying after the deadline."""
    passed = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out", LONG_AGO)
    snapshot = Snapshot(deployment(created=LONG_AGO, conditions=[passed]))
    assert judge(snapshot, SINCE).findings[0].grace == NEVER


def statefulset_refused(at: str, changed: str) -> Snapshot:
    """Return a StatefulSet whose spec was changed at one time and whose pod was refused at another."""
    workload = statefulset(created=LONG_AGO, replicas=0)
    workload["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": changed},
        {"manager": "kube-controller-manager", "subresource": "status", "time": LATER},
    ]
    message = (
        'create Pod postgresql-0 in StatefulSet postgresql failed error: pods "postgresql-0" is forbidden: '
        "exceeded quota: polls, requested: limits.memory=1Gi, used: limits.memory=1Gi, limited: limits.memory=1Gi"
    )
    return Snapshot(workload, events=[event(workload, "FailedCreate", message, at)])


def test_a_statefulset_is_refused_when_its_event_says_so() -> None:
    """It has no condition for it, as a Deployment has."""
    found = judge(statefulset_refused(LATER, changed="2026-03-01T12:00:00Z"), SINCE).findings[0]
    assert (found.cause, found.grace) == ("quota", CREATED_SOON)


def test_a_refusal_from_before_the_spec_was_mended_does_not_count() -> None:
    """Events stay for an hour."""
    found = judge(statefulset_refused("2026-03-01T11:59:50Z", changed="2026-03-01T12:00:00Z"), SINCE).findings[0]
    assert found.grace == NEVER


def test_a_refusal_that_was_followed_by_a_pod_is_over() -> None:
    """The latest of the two events tells."""
    snapshot = statefulset_refused("2026-03-01T12:00:05Z", changed="2026-03-01T12:00:00Z")
    created = event(snapshot.workload, "SuccessfulCreate", "create Pod postgresql-0 successful", LATER, "Normal")
    assert judge(Snapshot(snapshot.workload, events=[*snapshot.events, created]), SINCE).findings == ()


def test_a_pod_that_waits_for_old_pods_to_go_is_not_given_up() -> None:
    """Their room comes free when their grace period is over."""
    leaving = ready_pod(replicaset(deployment(), 1), name="polls-1-old")
    leaving["metadata"]["deletionTimestamp"] = LATER
    snapshot = of_unschedulable("0/1 nodes are available: 1 Insufficient memory.", others=[leaving])
    assert judge(snapshot, SINCE).findings[0].grace == NEVER


def test_a_node_that_puts_out_each_new_pod_is_certain_at_the_third() -> None:
    """One eviction may be chance."""
    workload = deployment()
    newest = replicaset(workload)
    message = "The node was low on resource: ephemeral-storage."
    pods = [pod(newest, name=f"polls-2-{number}", phase="Failed", reason="Evicted", message=message) for number in range(3)]
    assert judge(Snapshot(workload, pods=pods[:2], replicasets=[newest]), SINCE).findings == ()
    found = judge(Snapshot(workload, pods=pods, replicasets=[newest]), SINCE).findings[0]
    assert (found.cause, found.grace, found.summary) == ("evicted", 0, "3 pods were evicted by their node (Evicted)")


def test_a_namespace_that_is_being_deleted_is_said() -> None:
    """Nothing can be created in it."""
    found = judge(
        refused('pods "polls-2-a" is forbidden: unable to create new content in namespace polls-dev because it is being terminated'),
        SINCE,
    ).findings[0]
    assert (found.cause, found.summary) == ("terminating", "The namespace is being deleted")


@pytest.mark.parametrize(
    ("image", "message", "cause"),
    [
        ("registry.example.org/denied/not-found:401", "dial tcp 10.0.0.1:443: i/o timeout", "registry"),
        ("polls:1", "Error response from daemon: manifest for polls:1 not found: manifest unknown", "image-missing"),
        ("polls:1", "unexpected status from HEAD request to https://r.example.org/v2/: 403 Forbidden", "image-denied"),
        ("polls:1", "http: server gave HTTP response to HTTPS client", "registry"),
        ("polls:1", "write /var/lib/containerd/tmp: no space left on device", "container"),
        ("polls:1", "something that nobody has seen before", "registry"),
    ],
)
def test_a_registrys_answer_is_understood_whatever_the_image_is_called(image: str, message: str, cause: str) -> None:
    """Words in the image's own name do not count."""
    assert pull_answer(image, message)[0] == cause


# -- Patience


def test_a_finding_is_certain_when_it_has_lasted_for_its_grace() -> None:
    """And not a moment earlier."""
    patience = Patience()
    finding = Finding("config", "x", "CreateContainerConfigError", grace=5)
    assert [patience.certain([finding], now) for now in (100, 104.9, 105)] == [None, None, finding]


def test_a_finding_that_went_away_starts_anew() -> None:
    """It must be seen in a row."""
    patience = Patience()
    finding = Finding("config", "x", "CreateContainerConfigError", grace=5)
    seen = [patience.certain(found, now) for found, now in (([finding], 0), ([], 4), ([finding], 5), ([finding], 9))]
    assert seen == [None, None, None, None]


def test_a_finding_outlives_the_pod_that_showed_it() -> None:
    """A controller may replace the pod, and the kubelet alternates between two reasons."""
    patience = Patience()
    first = Finding("registry", "x", "ErrImagePull", pod="polls-a", container="web", grace=45)
    second = Finding("registry", "x", "ImagePullBackOff", pod="polls-b", container="web", grace=45)
    assert patience.certain([first], 0) is None
    assert patience.certain([second], 45) is second


def test_a_quota_is_given_time_while_the_old_pods_change() -> None:
    """Each pod that goes may make room."""
    message = 'pods "polls-2-a" is forbidden: exceeded quota: polls, requested: pods=1, used: pods=4, limited: pods=4'
    patience = Patience()
    before, after = refused(message, replicas=4), refused(message, replicas=3)
    assert patience.certain(judge(before, SINCE).findings, 0) is None
    assert patience.certain(judge(after, SINCE).findings, 9) is None
    assert patience.certain(judge(after, SINCE).findings, 18) is None
    assert patience.certain(judge(after, SINCE).findings, 19) is not None


def test_what_is_never_certain_is_never_returned() -> None:
    """It only explains a timeout."""
    patience = Patience()
    finding = Finding("readiness", "x", "NotReady")
    assert [patience.certain([finding], now) for now in (0, 1e9)] == [None, None]


def test_the_pods_own_trouble_explains_a_deadline_better_than_the_deadline() -> None:
    """The deadline says that it failed, not why."""
    late = condition("Progressing", "False", "ProgressDeadlineExceeded", "has timed out", LATER)
    workload = deployment(conditions=[late])
    newest = replicaset(workload)
    unready = pod(newest, container(state={"running": {"startedAt": LATER}}), phase="Running")
    findings = judge(Snapshot(workload, pods=[unready], replicasets=[newest]), SINCE).findings
    assert [finding.cause for finding in findings] == ["deadline", "readiness"]
    assert best(findings).cause == "readiness"


# -- What is read


def test_events_are_read_of_few_objects_only() -> None:
    """A poll stays cheap however many pods there are."""
    workload = deployment(spec={"replicas": 50})
    newest = replicaset(workload)
    pods = [pod(newest, waiting("ContainerCreating"), name=f"polls-2-{number:02}") for number in range(40)]
    subjects = event_subjects(Snapshot(workload, pods=pods, replicasets=[newest]))
    assert subjects == ["uid-polls-2-00", "uid-polls-2-01", "rs-2"]


def test_no_events_are_read_while_all_pods_are_well() -> None:
    """They could explain nothing."""
    workload = deployment(spec={"replicas": 1})
    newest = replicaset(workload)
    assert event_subjects(Snapshot(workload, pods=[ready_pod(newest)], replicasets=[newest])) == []


def test_claims_are_read_of_pods_that_wait_for_a_node() -> None:
    """Each once, and no other volume."""
    assert unbound_claims(with_claim(None).pods) == ["data-postgresql-0"]
    assert unbound_claims(with_claim(claim(), chosen=True).pods) == ["data-postgresql-0"]
    assert unbound_claims([ready_pod(replicaset(deployment()))]) == []


def test_a_provisioner_that_failed_before_the_wait_may_have_been_cured() -> None:
    """Its events stay for an hour."""
    snapshot = with_claim(claim(storage_class="gp3"), ("ProvisioningFailed", UNAUTHORIZED), count=9, chosen=True)
    snapshot.claims["data-postgresql-0"]["metadata"]["creationTimestamp"] = LONG_AGO
    assert judge(snapshot, "2026-03-01T12:10:00Z").findings[0].grace == NEVER
    assert judge(snapshot, SINCE).findings[0].grace == TRANSIENT


def test_a_selector_is_written_as_a_query() -> None:
    """Labels and expressions, all of them."""
    workload = deployment(
        spec={
            "selector": {
                "matchLabels": {"app": "polls"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["web", "api"]},
                    {"key": "track", "operator": "NotIn", "values": ["canary"]},
                    {"key": "release", "operator": "Exists"},
                    {"key": "legacy", "operator": "DoesNotExist"},
                ],
            }
        }
    )
    assert selector_of(workload) == "app=polls,tier in (web,api),track notin (canary),release,!legacy"


def test_the_state_of_each_kind_is_returned() -> None:
    """Revision, replicas, ready pods and images."""
    states = [state_of(case[1]) for case in COMPLETE if case[0] in ("a Deployment", "a StatefulSet", "a Job")]
    images = [IMAGE, "localhost:5000/wait:1"]
    assert states == [
        {"kind": "Deployment", "name": "polls", "revision": "2", "replicas": 2, "ready": 2, "images": images},
        {
            "kind": "StatefulSet",
            "name": "postgresql",
            "revision": "postgresql-7c9f",
            "replicas": 1,
            "ready": 1,
            "images": images,
        },
        {"kind": "Job", "name": "polls-migrate-3f2a", "revision": "j-1", "replicas": 1, "ready": 1, "images": images},
    ]


def test_the_failed_run_of_a_pod_is_found_before_and_after_its_restart() -> None:
    """So that a Job's log is kept before its pod is deleted."""
    workload = job()
    over = pod(workload, container(state=ended(1)))
    again = pod(workload, container(state={"running": {}}, lastState=ended(1)))
    well = pod(workload, container(state=ended(0, "Completed")))
    runs = [failed_run(each) for each in (over, again, well)]
    assert runs == [
        ("web", f"polls-2-abcde/web/{LATER}", False),
        ("web", f"polls-2-abcde/web/{LATER}", True),
        None,
    ]


# -- The message


def test_the_message_holds_the_log_and_the_events() -> None:
    """In the order in which one asks: what, where, what the process said, what Kubernetes said, what to do."""
    snapshot = of_deployment(crashing(ended(1)))
    verdict = judge(snapshot, SINCE)
    restarting = event(snapshot.pods[0], "BackOff", "Back-off restarting failed container web in pod polls-2-abcde", count=3)
    message = describe(
        verdict.state,
        verdict.findings[0],
        "polls-dev",
        log_lines=["Traceback (most recent call last):", "KeyError: 'DJANGO_SECRET_KEY'"],
        events=[restarting],
    )
    assert message == (
        "The container web crashes: it ended with exit code 1, 2 times.\n"
        "Deployment polls in namespace polls-dev, pod polls-2-abcde, container web: Error\n"
        "  back-off 10s restarting failed container=web pod=polls-2-abcde_polls-dev(p-1)\n"
        "Last log lines (of the run that crashed):\n"
        "  Traceback (most recent call last):\n"
        "  KeyError: 'DJANGO_SECRET_KEY'\n"
        "Events:\n"
        "  BackOff: Back-off restarting failed container web in pod polls-2-abcde (3 times)\n"
        "What to do: Fix what the log shows; a missing setting belongs in berth_app_settings or berth_app_secrets."
    )


def test_a_timeout_is_the_headline_and_its_best_explanation_follows() -> None:
    """One line says both."""
    finding = Finding("readiness", "The container web runs but is not ready", "NotReady", container="web")
    message = describe(
        {"kind": "Deployment", "name": "polls"},
        finding,
        "polls-dev",
        "The Deployment polls is not complete after 300 s",
    )
    assert message.splitlines()[0] == ("The Deployment polls is not complete after 300 s: the container web runs but is not ready.")


def test_an_event_is_told_once_whatever_names_it_quotes() -> None:
    """A controller that tries again says the same of another pod name."""
    workload = statefulset()
    events = [event(workload, "FailedCreate", f'Error creating: pods "x-{name}" is forbidden: exceeded quota: polls') for name in ("a", "b")]
    assert event_lines(events) == ['FailedCreate: Error creating: pods "x-a" is forbidden: exceeded quota: polls']
    assert event_lines(events, known='Error creating: pods "x-c" is forbidden: exceeded quota: polls') == []


def test_an_event_that_is_no_warning_is_not_told() -> None:
    """Pulled and Created explain no failure."""
    assert event_lines([event(statefulset(), "Pulled", "Successfully pulled image", kind="Normal")]) == []


def test_a_long_log_line_is_cut() -> None:
    """A traceback in one line of JSON must not bury the rest."""
    finding = Finding("crash", "x", "Error", log="current")
    message = describe({"kind": "Job", "name": "x"}, finding, "polls-dev", log_lines=["y" * 5000])
    assert max(len(line) for line in message.splitlines()) < 1100


# -- Secrets


def secret(**values: str) -> Json:
    """Return a Secret as the API server holds it."""
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}}


def test_the_secrets_of_a_pod_are_those_that_it_refers_to() -> None:
    """By variable, by envFrom, by volume and by projected volume."""
    spec = template()["spec"]
    spec["containers"][0]["env"] = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "a"}}}]
    spec["initContainers"][0]["envFrom"] = [{"secretRef": {"name": "two"}}, {"configMapRef": {"name": "settings"}}]
    spec["volumes"] = [
        {"name": "tls", "secret": {"secretName": "three"}},
        {"name": "all", "projected": {"sources": [{"secret": {"name": "four"}}, {"downwardAPI": {}}]}},
        {"name": "tmp", "emptyDir": {}},
    ]
    assert secret_names(spec) == ["two", "one", "three", "four"]


@pytest.mark.parametrize(
    "line",
    [
        'password=s3cr/t "w was refused',
        '{"message": "s3cr/t \\"w"}',
        "'s3cr/t \"w'",
        "postgres://polls:s3cr/t%20%22w@db",
        "postgres://polls:s3cr%2Ft+%22w@db",
        "cGFzc3dvcmQ= czNjci90ICJ3",
    ],
)
def test_a_secret_value_is_not_shown_in_any_form(line: str) -> None:
    """Plain, in a URL, in JSON, in a repr, in base64."""
    values = secret_values(template()["spec"], [secret(DATABASE_PASSWORD='s3cr/t "w')])
    shown = redact(line, values)
    assert "***" in shown
    assert not re.search("s3cr|czNj", shown)


def test_each_line_of_a_key_is_secret() -> None:
    """A log may hold part of it."""
    values = secret_values({}, [secret(KEY="-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n")])
    assert redact("bad key: MIIEvQIBADANBg", values) == "bad key: ***"


def test_a_short_value_is_left_for_it_would_tear_the_log_apart() -> None:
    """Five characters are likely to be a word."""
    values = secret_values({}, [secret(DATABASE_NAME="polls")])
    assert redact("polls is up", values) == "polls is up"


def test_a_literal_value_is_secret_when_its_name_says_so() -> None:
    """And only then: other settings may be read."""
    spec = template()["spec"]
    spec["containers"][0]["env"] = [
        {"name": "API_TOKEN", "value": "abcdefgh"},
        {"name": "DJANGO_LOG_LEVEL", "value": "WARNING"},
    ]
    assert redact("abcdefgh WARNING", secret_values(spec, [])) == "*** WARNING"


def test_a_longer_secret_is_replaced_before_a_shorter_one_in_it() -> None:
    """Else its end would stay."""
    values = secret_values({}, [secret(A="abcdef", B="abcdefghij")])
    assert redact("abcdefghij", values) == "***"
