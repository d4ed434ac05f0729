"""What to do about a finding, by its cause and by the component it concerns."""

from __future__ import annotations

from ..kube.objects import Object
from .model import Finding
from .reading import label_of

ADVICE: dict[str, str] = {
    "image-missing": "Build and push the image (playbooks/image.yml); if it is there already, berth_registry points to another registry.",
    "image-denied": "Give the cluster access to the registry: check berth_registry and its pull credentials.",
    "image-name": "Correct the parts of the image's name: berth_registry_host and berth_app_name.",
    "image-never": "Load the image onto the node, or let the kubelet pull it (imagePullPolicy IfNotPresent).",
    "registry": "Check that the node can reach the registry at the address in berth_registry, and trusts its certificate.",
    "config": "Add the missing name to berth_app_secrets or berth_app_settings and run playbooks/config.yml again.",
    "starting": "It finds the API server by itself: run the same command again.",
    "container": "The container runtime rejects the container's definition: correct what its message names.",
    "command": "The image has no such command, or cannot run it: correct {command} or the image.",
    "crash": "Fix what the log shows; a missing setting belongs in berth_app_settings or berth_app_secrets.",
    "ended": "The command must keep running in the foreground: correct {command}.",
    "memory": "Raise the memory limit in {resources}, or reduce the memory that the process uses.",
    "liveness": "The process runs but its probe fails: check its log, or give it more time (startup_seconds in "
    "berth_app_probe) or more CPU in berth_app_resources.",
    "readiness": "The process runs but is not ready: its log says what it is waiting for (the database, a migration).",
    "quota": "Lower {resources} or {pods}, or raise berth_quota.",
    "pod-security": "Make the pod meet the namespace's Pod Security level: non-root, no privilege escalation, all "
    "capabilities dropped, seccomp RuntimeDefault.",
    "webhook": "The webhook decides what may run here: meet its requirements, or ask its operator.",
    "webhook-down": "The webhook's service does not answer: repair it, or remove the webhook's configuration.",
    "serviceaccount": "Create the ServiceAccount, or correct its name in the pod template.",
    "refused": "Correct the field that the message names.",
    "terminating": "Wait until the namespace is gone, then run the playbook again.",
    "resources": "Lower the requests in {resources} or {pods}, remove what else runs there (kubectl describe nodes lists it), or add a node.",
    "placement": "Correct nodeSelector, affinity or tolerations, or label a node to match.",
    "volume": "Create what the volume needs: a default StorageClass, the named one, or the claim itself.",
    "mount": "The volume cannot be mounted yet: the event says why.",
    "evicted": "The node evicts the pod as soon as it starts: free the resource that the message names.",
    "job": "Fix what the log shows, then run the playbook again: a new Job replaces the failed one.",
    "job-deadline": "Find out what took so long; if it needs that time, {more_time}, then run the playbook again.",
    "deadline": "See the pods below; if they only need more time, {more_time}.",
    "paused": "Resume it: kubectl rollout resume.",
    "waiting": "Check it with playbooks/ops/status.yml; if it only needs more time, {more_time}.",
}
"""What to do, by cause: one sentence, possibly with two alternatives. Names in braces are keys of WAYS."""
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
"""The values for ADVICE, by the component label of a workload that Berth made. The empty key holds the defaults, for everything else."""


def advice(cause: str, workload: Object) -> str:
    """Return what to do about a finding with this cause in a workload."""
    return advised(workload, ADVICE[cause])


def advice_of(finding: Finding, workload: Object) -> str:
    """Return what to do about a finding in a workload."""
    return finding.advice or advice(finding.cause, workload)


def advised(workload: Object, text: str) -> str:
    """Return a text of ADVICE with a workload's variables filled in."""
    return text.format(**WAYS[""] | WAYS.get(label_of(workload, "app.kubernetes.io/component"), {}))
