"""What to do about a finding, by its cause and by the component that it is about."""

from __future__ import annotations

from ..kube.objects import Object
from .model import Finding
from .reading import label_of

ADVICE: dict[str, str] = {
    "image-missing": "Build and push the image (playbooks/image.yml); where it is there, berth_registry leads elsewhere.",
    "image-denied": "Give the cluster access to the registry: check berth_registry and its pull credentials.",
    "image-name": "Correct what the image's name is made of: berth_registry_host and berth_app_name.",
    "image-never": "Load the image onto the node, or let the kubelet pull it (imagePullPolicy IfNotPresent).",
    "registry": "Check that the node reaches the registry at the address that berth_registry names, and trusts it.",
    "config": "Add the missing name to berth_app_secrets or berth_app_settings and run playbooks/config.yml again.",
    "container": "The container runtime refuses the container as it is described: correct what its message names.",
    "command": "The image has no such command, or may not run it: correct {command} or the image.",
    "crash": "Mend what the log shows; a missing setting belongs in berth_app_settings or berth_app_secrets.",
    "ended": "The command must keep running in the foreground: correct {command}.",
    "memory": "Raise the memory limit in {resources}, or make the process use less.",
    "liveness": "The process runs but its probe fails: see its log, or give it more time (startup_seconds in "
    "berth_app_probe) or more CPU in berth_app_resources.",
    "readiness": "The process runs but is not ready: its log says what it waits for (the database, a migration).",
    "quota": "Lower {resources} or {pods}, or raise berth_quota.",
    "pod-security": "Make the pod meet the namespace's Pod Security level: non-root, no privilege escalation, all "
    "capabilities dropped, seccomp RuntimeDefault.",
    "webhook": "The webhook decides what may run here: meet what it asks for, or ask who runs it.",
    "webhook-down": "The webhook's own service does not answer: repair it, or remove its configuration.",
    "serviceaccount": "Create the ServiceAccount, or correct its name in the pod template.",
    "refused": "Correct the field that the message names.",
    "terminating": "Wait until the namespace is gone, then run the playbook again.",
    "resources": "Lower the requests in {resources} or {pods}, or add a node.",
    "placement": "Correct nodeSelector, affinity or tolerations, or label a node accordingly.",
    "volume": "Create what the volume needs: a default StorageClass, the named one, or the claim itself.",
    "mount": "The volume cannot be mounted yet: see the event.",
    "evicted": "The node evicts the pod as soon as it starts: free the resource that the message names.",
    "job": "Mend what the log shows, then run the playbook again: a new Job takes the failed one's place.",
    "job-deadline": "Look at what took so long; where it needs its time, {more_time}, then run the playbook again.",
    "deadline": "See the pods below; where they only need more time, {more_time}.",
    "paused": "Resume it: kubectl rollout resume.",
    "waiting": "Look at it with playbooks/ops/status.yml; where it only needs more time, {more_time}.",
}
"""What to do, by cause: one sentence, or one that names two ways. What is in braces is a key of WAYS."""
WAYS: dict[str, dict[str, str]] = {
    "": {"more_time": "give it more time", "command": "the container's command", "resources": "berth_app_resources", "pods": "berth_app_replicas"},
    "web": {"more_time": "raise berth_app_timeout", "command": "berth_app_command"},
    "release": {"more_time": "raise berth_app_timeout", "command": "berth_app_release_commands"},
    "schedule": {"more_time": "raise the timeout of the schedule in berth_app_schedules", "command": "the command in berth_app_schedules"},
    "process": {
        "more_time": "raise berth_app_timeout",
        "command": "its command in berth_app_processes",
        "resources": "its resources in berth_app_processes",
        "pods": "its replicas there",
    },
    "database": {"more_time": "raise berth_database_timeout"},
    "database-login": {"more_time": "raise berth_database_timeout"},
}
"""How ADVICE is followed, by the component's label of a workload that Berth made; with an empty one, of any other and of what is not told apart."""


def advice(cause: str, workload: Object) -> str:
    """Return what to do about a finding of that cause in a workload."""
    return advised(workload, ADVICE[cause])


def advice_of(finding: Finding, workload: Object) -> str:
    """Return what to do about a finding in a workload."""
    return finding.advice or advice(finding.cause, workload)


def advised(workload: Object, text: str) -> str:
    """Return a text of ADVICE with the variables of a workload in it."""
    return text.format(**WAYS[""] | WAYS.get(label_of(workload, "app.kubernetes.io/component"), {}))
