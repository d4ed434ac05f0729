"""Kubernetes objects from plain data."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import itertools
import json
import re
import shlex
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils.kube.references import references

SCHEDULE_TIMEOUT = 600  # seconds


def secret_data(settings: dict[str, Any]) -> dict[str, str]:
    """Return ``settings`` as the ``data`` of a Secret, so that it can be compared with what the API server stores.

    >>> secret_data({"PASSWORD": "hunter2"})
    {'PASSWORD': 'aHVudGVyMg=='}
    """
    if not isinstance(settings, dict):
        raise AnsibleFilterError(f"secret_data needs a dictionary, not {type(settings).__name__}.")
    return {name: base64.b64encode(str(value).encode()).decode() for name, value in settings.items()}


def short_hash(value: Any) -> str:
    """Return 10 hexadecimal digits that change when ``value`` (plain data) does.

    >>> short_hash({"b": 1, "a": 2}) == short_hash({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:10]


def command_containers(commands: list[str], container: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one container for each of ``commands`` (arguments of ``manage.py``), in order, each made from ``container``.

    >>> command_containers(["migrate --noinput"], {"image": "polls"})
    [{'image': 'polls', 'name': 'migrate', 'command': ['python', 'manage.py', 'migrate', '--noinput']}]
    """
    containers: list[dict[str, Any]] = []
    for command in commands:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise AnsibleFilterError(f"A command of berth_app_release_commands or berth_app_schedules: {error}: {command}") from None
        if not words:
            raise AnsibleFilterError("A command of berth_app_release_commands or berth_app_schedules is empty.")
        # https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
        name = re.sub("[^a-z0-9]+", "-", words[0].lower()).strip("-")[:50].strip("-") or "command"
        taken = {container["name"] for container in containers}
        numbered = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        unique = next(candidate for candidate in numbered if candidate not in taken)
        containers.append({**container, "name": unique, "command": ["python", "manage.py", *words]})
    return containers


def host_settings(hosts: list[str], separators: dict[str, str]) -> dict[str, str]:
    """Return the variables with the site's host names: Berth's own, and others, each with its separator.

    >>> host_settings(["shop.example.com"], {"HOSTS": " "})
    {'DJANGO_ALLOWED_HOSTS': 'localhost,127.0.0.1,[::1],shop.example.com', 'HOSTS': 'localhost 127.0.0.1 [::1] shop.example.com'}
    """
    names = list(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", *hosts]))
    return {name: separator.join(names) for name, separator in ({"DJANGO_ALLOWED_HOSTS": ","} | separators).items()}


def in_turn(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the part of a pod that runs containers one after another, each only if the one before succeeded.

    >>> in_turn([{"name": "look"}, {"name": "migrate"}])
    {'restartPolicy': 'Never', 'initContainers': [{'name': 'look'}], 'containers': [{'name': 'migrate'}]}
    """
    return {"restartPolicy": "Never", "initContainers": containers[:-1], "containers": containers[-1:]}


def release_name(pod: dict[str, Any], name: str) -> str:
    """Return the name of the Job that runs a release's commands. It depends on the whole pod, because a Job cannot be changed.

    >>> release_name({"containers": []}, "polls")
    'polls-release-75ed80bed3'
    """
    return f"{name}-release-{short_hash(pod)}"


def cron_jobs(schedules: list[dict[str, str]], name: str, labels: dict[str, str], pod: dict[str, Any], container: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a CronJob for each of ``schedules`` (``name``, ``schedule``, ``command``, ``timeout`` in seconds); ``name`` and ``labels`` are the app's."""
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": f"{name}-{schedule['name']}", "labels": labels},
            "spec": {
                "schedule": schedule["schedule"],
                "concurrencyPolicy": "Forbid",
                "startingDeadlineSeconds": 600,
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 3,
                "jobTemplate": {
                    "spec": {
                        "backoffLimit": 1,
                        "activeDeadlineSeconds": int(schedule.get("timeout") or SCHEDULE_TIMEOUT),
                        "template": {
                            "metadata": {"labels": labels},
                            "spec": {**pod, "restartPolicy": "Never", "containers": command_containers([schedule["command"]], container)},
                        },
                    }
                },
            },
        }
        for schedule in schedules
    ]


def writable_volumes(directories: dict[str, str]) -> list[dict[str, Any]]:
    """Return a pod's volumes for its writable ``directories``, each with its size. Their content is lost with the pod.

    >>> writable_volumes({"/tmp": "64Mi"})
    [{'name': 'tmp', 'emptyDir': {'sizeLimit': '64Mi'}}]
    """
    return [{"name": _volume(path), "emptyDir": {"sizeLimit": size}} for path, size in directories.items()]


def writable_mounts(directories: dict[str, str]) -> list[dict[str, Any]]:
    """Return where a container mounts these volumes."""
    return [{"name": _volume(path), "mountPath": path} for path in directories]


def _volume(path: str) -> str:
    words = re.sub("[^a-z0-9]+", "-", path.lower()).strip("-")
    # Two paths may differ only in characters that a name cannot have: kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
    return words if path == f"/{words}" and len(words) <= 40 else f"{words[:40].strip('-')}-{short_hash(path)}"


def object_names(objects: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return kind and name of each object."""
    return [{"kind": item["kind"], "name": item["metadata"]["name"]} for item in objects]


def app_pods(app: str, also: list[str] | None = None) -> dict[str, Any]:
    """Return the selector of all of an app's pods; ``also`` has additional components.

    >>> app_pods("polls")["matchExpressions"][0]["values"]
    ['web', 'process', 'release', 'schedule', 'command']
    """
    components = ["web", "process", "release", "schedule", "command", *(also or [])]
    return {
        "matchLabels": {"app.kubernetes.io/instance": app},
        "matchExpressions": [{"key": "app.kubernetes.io/component", "operator": "In", "values": components}],
    }


def named(names: list[str], kind: str) -> list[dict[str, str]]:
    """Return kind and name of objects of one kind with these names.

    >>> named(["database"], "Service")
    [{'kind': 'Service', 'name': 'database'}]
    """
    return [{"kind": kind, "name": name} for name in names]


def ip_blocks(networks: list[str]) -> list[dict[str, Any]]:
    """Return networks (CIDR) as the peers of a NetworkPolicy's rule.

    >>> ip_blocks(["10.60.0.0/16"])
    [{'ipBlock': {'cidr': '10.60.0.0/16'}}]
    """
    return [{"ipBlock": {"cidr": network}} for network in networks]


def outside(networks: list[str]) -> list[dict[str, Any]]:
    """Return the peers of a NetworkPolicy's rule for every address outside ``networks`` (CIDR); no peers, which means everybody, without networks.

    Pods without an address of an IP version cannot be reached with that version.

    >>> outside(["10.244.0.0/16"])
    [{'ipBlock': {'cidr': '0.0.0.0/0', 'except': ['10.244.0.0/16']}}]
    """
    of_version = {whole: [each for each in networks if ipaddress.ip_network(each).version == version] for version, whole in ((4, "0.0.0.0/0"), (6, "::/0"))}
    return [{"ipBlock": {"cidr": whole, "except": excepted}} for whole, excepted in of_version.items() if excepted]


def labelled(objects: list[dict[str, Any]], label: str, value: str) -> list[dict[str, Any]]:
    """Return the ``objects`` that have a label with this value."""
    return [each for each in objects if each["metadata"].get("labels", {}).get(label) == value]


def settled(objects: list[dict[str, Any]]) -> bool:
    """Whether every workload among live ``objects`` has reached its desired state.

    The response to an apply contains the object's status, so a run that changes nothing need not request it again. The conditions are
    those of ``kubectl rollout status`` (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go).
    """
    return all(_settled(item) for item in objects)


def _settled(item: dict[str, Any]) -> bool:
    spec, status = item.get("spec", {}), item.get("status", {})
    if item["kind"] == "Job":
        return _has(item, "Complete")
    if item["kind"] not in ("Deployment", "StatefulSet"):
        return True
    wanted = spec.get("replicas", 1)
    counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")]
    return status.get("observedGeneration", 0) >= item["metadata"]["generation"] and all(count == wanted for count in counts)


def failed_jobs(objects: list[dict[str, Any]]) -> list[str]:
    """Return the names of the Jobs among live ``objects`` that have failed for good, including those whose pods still have to terminate.

    https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions
    """
    return [item["metadata"]["name"] for item in objects if item["kind"] == "Job" and (_has(item, "Failed") or _has(item, "FailureTarget"))]


def standing(jobs: list[dict[str, Any]], retried: bool) -> list[dict[str, Any]]:
    """Return the live ``jobs`` whose result counts: with ``retried``, a failed one's does not."""
    return [job for job in jobs if not retried or not failed_jobs([job])]


def ended(jobs: list[dict[str, Any]]) -> bool:
    """Whether there are live ``jobs`` and all have ended, successfully or not."""
    return bool(jobs) and all(_has(job, "Complete") or _has(job, "Failed") for job in jobs)


def _has(item: dict[str, Any], condition: str) -> bool:
    return any(c["type"] == condition and c["status"] == "True" for c in item.get("status", {}).get("conditions", []))


def app_facts(objects: list[dict[str, Any]], address: str, revision: str = "", path: str = "/") -> dict[str, Any]:
    """Return ``url``, ``revision`` and ``replicas`` of the app whose Deployment and Service are among live ``objects``.

    The URL is that of the page at ``path``, on the Service's node port at ``address``; empty if this machine reaches none. ``revision`` is the revision
    after a rollout that has ended since the objects were read.
    """
    service = next((item for item in objects if item["kind"] == "Service"), None)
    if not service:
        raise AnsibleFilterError("The app has no Service in its namespace; run site.yml.")
    # The app's processes have their own Deployments.
    deployment = next((item for item in objects if item["kind"] == "Deployment" and item["metadata"]["name"] == service["metadata"]["name"]), None)
    if not deployment:
        raise AnsibleFilterError("The app has no Deployment in its namespace; run site.yml.")
    return {
        "url": f"http://{address}:{service['spec']['ports'][0].get('nodePort', '')}{path}" if address else "",
        "revision": revision or deployment["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", ""),
        "replicas": deployment["spec"].get("replicas", 1),
    }


def pods_with_secret(pods: list[dict[str, Any]], secrets: list[str], since: str) -> list[str]:
    """Return the names of live ``pods`` that started before ``since`` (RFC 3339, empty for never) with values of one of the Secrets in their environment."""
    return [
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["creationTimestamp"] < since
        and not pod["metadata"].get("deletionTimestamp")
        and pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        and not references(pod["spec"]).isdisjoint(("Secret", secret) for secret in secrets)
    ]


def data_within(state: str, claims: list[dict[str, Any]]) -> str:
    """Return which data would be lost with a cluster in ``state``, in words: its volume ``claims``, which only a running one shows. Empty for none.

    >>> data_within("stopped", [])
    'unknown while it is stopped'
    """
    if state in ("stopped", "paused", "unready"):
        return f"unknown while it is {state}"
    names = [claim["metadata"]["name"] for claim in claims] if state == "running" else []
    return f"volume claim {', '.join(names)}" if names else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        functions = (
            secret_data,
            short_hash,
            command_containers,
            host_settings,
            in_turn,
            release_name,
            cron_jobs,
            object_names,
            app_facts,
            settled,
            failed_jobs,
            ended,
            ip_blocks,
            data_within,
            pods_with_secret,
            writable_volumes,
            writable_mounts,
            outside,
            labelled,
            app_pods,
            named,
            standing,
        )
        return {f.__name__: f for f in functions}
