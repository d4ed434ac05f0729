"""What runs next to web: each process of ``berth_app_processes`` as Kubernetes objects, and the meaning of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.validation import check_type_bool

from .probes import STAYS
from .resources import with_resources

Process = Mapping[str, Any]
"""``command`` and, if they differ, ``replicas``, ``singleton``, ``grace_seconds`` and ``resources``."""

COMPONENT = "process"
LABEL = "berth/process"
"""The label with a process's name."""
GRACE = 30
"""Kubernetes' default for the seconds that a pod gets to stop."""
ALONE = {"type": "Recreate"}
ONE_BY_ONE = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def is_singleton(process: Process) -> bool:
    """Whether a release stops the old pod before the new one starts."""
    return check_type_bool(process.get("singleton") or False)


def replicas(process: Process) -> int:
    """Return how many pods run."""
    return int(process.get("replicas") or 1)


def grace(process: Process) -> int:
    """Return the seconds that it gets to stop."""
    return int(process.get("grace_seconds") or GRACE)


def rollout_seconds(processes: Mapping[str, Process], timeout: int) -> int:
    """Return the seconds for a rollout: pods are replaced one by one, each has to stay ready, and a singleton starts when the previous one has stopped.

    >>> rollout_seconds({"beat": {"singleton": True, "grace_seconds": 60}}, 300)
    370
    """
    return int(timeout) + max((replicas(each) * STAYS + (grace(each) if is_singleton(each) else 0) for each in processes.values()), default=0)


def objects(
    processes: Mapping[str, Process], app: Mapping[str, Any], pod: Mapping[str, Any], container: Mapping[str, Any], timeout: int
) -> list[dict[str, Any]]:
    """Return a Deployment for each process, and a PodDisruptionBudget if it has several pods.

    Args:
        processes: By name.
        app: The app's ``name``, the release's ``version``, and labels: ``selector`` (the ones that never change), ``labels`` (all) and ``version_label``.
        pod: What every pod of the app has in common.
        container: What every container of the app has in common.
        timeout: Seconds for a rollout.
    """
    found = []
    for name, process in processes.items():
        found.append(_deployment(name, process, app, pod, container, timeout))
        if replicas(process) > 1:
            found.append(_budget(name, app))
    return found


def _names(name: str, app: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metadata and selector of a process's objects."""
    mine = {"app.kubernetes.io/component": COMPONENT, LABEL: name}
    return {"name": f"{app['name']}-{name}", "labels": {**app["labels"], **mine}}, {"matchLabels": {**app["selector"], **mine}}


def _deployment(name: str, process: Process, app: Mapping[str, Any], pod: Mapping[str, Any], container: Mapping[str, Any], timeout: int) -> dict[str, Any]:
    metadata, selector = _names(name, app)
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
    resources = with_resources(container["resources"], process.get("resources") or {})
    runs = {**container, "name": name, "command": list(process["command"]), "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": metadata["name"],
            "labels": {**metadata["labels"], **app["version_label"]},
            "annotations": {"kubernetes.io/change-cause": app["version"]},
        },
        "spec": {
            "replicas": replicas(process),
            "revisionHistoryLimit": 10,
            "minReadySeconds": STAYS,
            "progressDeadlineSeconds": rollout_seconds({name: process}, timeout),
            "strategy": ALONE if is_singleton(process) else ONE_BY_ONE,
            "selector": selector,
            "template": {
                "metadata": {"labels": metadata["labels"]},
                "spec": {**pod, "terminationGracePeriodSeconds": grace(process), "topologySpreadConstraints": [spread], "containers": [runs]},
            },
        },
    }


def _budget(name: str, app: Mapping[str, Any]) -> dict[str, Any]:
    metadata, selector = _names(name, app)
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": {"maxUnavailable": 1, "selector": selector}}
