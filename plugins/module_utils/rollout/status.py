"""Show an environment's state at a glance: from Kubernetes objects to data, and from data to a block of text.

Everything here is a function of plain dicts, as the API server returns them; nothing is read from a cluster.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import providers
from ..kube import processes as process_objects
from ..kube.objects import condition, dig
from . import command
from .judge import judge, state_of
from .memory import Use
from .message import best
from .model import Finding, Snapshot, plain_problem
from .reading import parse_time, pod_state, unbound_claims

Object = Mapping[str, Any]
WIDTH = 88
"""Columns of the text: with Ansible's indentation it fits a 100-column terminal."""
_LABEL = 11  # columns of the left-hand titles

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


def seconds_between(earlier: str | None, later: str) -> int | None:
    """Return the seconds between two RFC 3339 times, None if one is missing or invalid."""
    begin, end = parse_time(earlier), parse_time(later)
    return None if begin is None or end is None else max(0, int((end - begin).total_seconds()))


def duration(seconds: int | None) -> str:
    """Return a time span in its largest unit, rounded down as kubectl does.

    >>> duration(7300)
    '2 h'
    """
    if seconds is None:
        return "?"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


# -- Data --------------------------------------------------------------------------------------------------------


def nodes(objects: Iterable[Object], now: str) -> list[dict[str, Any]]:
    """Return name, state, version and age (seconds) of each node."""
    return [
        {
            "name": node["metadata"]["name"],
            "state": _node_state(node),
            "version": dig(node, "status", "nodeInfo", "kubeletVersion") or "",
            "age": seconds_between(dig(node, "metadata", "creationTimestamp"), now),
        }
        for node in objects
    ]


def _node_state(node: Object) -> str:
    words = ["Ready" if condition(node, "Ready") else "NotReady"]
    conditions = dig(node, "status", "conditions") or []
    words += [each["type"] for each in conditions if each.get("type", "").endswith("Pressure") and each.get("status") == "True"]
    return ", ".join(words + (["cordoned"] if dig(node, "spec", "unschedulable") else []))


def release(deployment: Object, now: str) -> dict[str, Any]:
    """Return what is released: image, version, revision, replicas, ready, and for how many seconds it has been complete.

    ``since`` is None during a rollout.
    """
    state = state_of(Snapshot(deployment))
    progressing = condition(deployment, "Progressing")
    # The controller sets this reason when a rollout ends, and does not write the condition again until the next one.
    ended = progressing if dig(progressing, "reason") == "NewReplicaSetAvailable" else None
    return {
        "name": state["name"],
        "image": next(iter(state["images"]), ""),
        "version": dig(deployment, "metadata", "labels", "app.kubernetes.io/version") or "",
        "revision": state["revision"],
        "replicas": state["replicas"],
        "ready": state["ready"],
        "updated": dig(deployment, "status", "updatedReplicas") or 0,
        "since": seconds_between(dig(ended, "lastUpdateTime"), now),
    }


def processes(deployments: Iterable[Object]) -> list[dict[str, Any]]:
    """Return name, replicas and ready pods of each process apart from web."""
    states = [
        (dig(each, "metadata", "labels", process_objects.LABEL), state_of(Snapshot(each)))
        for each in deployments
        if dig(each, "metadata", "labels", "app.kubernetes.io/component") == process_objects.COMPONENT
    ]
    return [{"name": name, "replicas": state["replicas"], "ready": state["ready"]} for name, state in states]


def pods(objects: Iterable[Object], now: str, memory: Mapping[str, Use]) -> list[dict[str, Any]]:
    """Return name, ready, containers, restarts, age (seconds), state and memory of each pod that has not completed."""
    found = []
    for pod in sorted(objects, key=lambda each: each["metadata"]["name"]):
        if dig(pod, "status", "phase") == "Succeeded":
            continue
        statuses = dig(pod, "status", "containerStatuses") or []
        found.append(
            {
                "name": pod["metadata"]["name"],
                "ready": sum(bool(each.get("ready")) for each in statuses),
                "containers": len(dig(pod, "spec", "containers") or []),
                "restarts": sum(each.get("restartCount") or 0 for each in statuses),
                "age": seconds_between(dig(pod, "metadata", "creationTimestamp"), now),
                "state": "Terminating" if dig(pod, "metadata", "deletionTimestamp") else pod_state(pod),
                "memory": str(memory.get(pod["metadata"]["name"], "")),
            }
        )
    return found


def latest_jobs(jobs: Iterable[Object]) -> list[Object]:
    """Return the latest Job of each CronJob, and the latest of those that a release made; none of a command, because somebody waits for its end."""
    newest: dict[str, Object] = {}
    mine = (each for each in jobs if dig(each, "metadata", "labels", "app.kubernetes.io/component") != command.COMPONENT)
    for job in sorted(mine, key=lambda each: dig(each, "metadata", "creationTimestamp") or ""):
        owner = next((each.get("uid") for each in dig(job, "metadata", "ownerReferences") or []), "")
        newest[owner or dig(job, "metadata", "labels", "app.kubernetes.io/component") or job["metadata"]["name"]] = job
    return list(newest.values())


def snapshots(objects: Mapping[str, Sequence[Object]], now: str) -> list[Snapshot]:
    """Return what the rollout's judge needs to know about each workload.

    Args:
        objects: The objects of one namespace by kind: workloads, Pod, ReplicaSet, PersistentVolumeClaim, Event.
        now: The cluster's time, RFC 3339.
    """
    claims = {claim["metadata"]["name"]: claim for claim in objects.get("PersistentVolumeClaim", ())}
    workloads = [each for kind in WORKLOADS[:3] for each in objects.get(kind, ())] + latest_jobs(objects.get("Job", ()))
    found = []
    for workload in workloads:
        mine = [pod for pod in objects.get("Pod", ()) if _selects(workload, pod)]
        wanted = unbound_claims(mine)
        found.append(
            Snapshot(
                workload,
                pods=mine,
                replicasets=objects.get("ReplicaSet", ()),
                events=objects.get("Event", ()),
                claims={name: claims.get(name) for name in wanted} if "PersistentVolumeClaim" in objects else {},
                now=now,
            )
        )
    return found


def _selects(workload: Object, pod: Object) -> bool:
    wanted = dig(workload, "spec", "selector", "matchLabels") or {}
    labels = dig(pod, "metadata", "labels") or {}
    return bool(wanted) and all(labels.get(name) == value for name, value in wanted.items())


def problem(snapshot: Snapshot) -> tuple[Finding, str] | None:
    """Return what keeps a workload from being complete, best explanation first, and its state; None if it is complete."""
    verdict = judge(snapshot)
    if verdict.complete:
        return None
    return best(verdict.findings) or Finding("waiting", verdict.progress, "Waiting"), verdict.progress


def database(statefulsets: Iterable[Object], services: Iterable[Object]) -> dict[str, Any] | None:
    """Return where the database is: in the cluster, with image and pods, or outside, with its host; None if there is none."""
    for each in statefulsets:
        if each["metadata"]["name"] == "database":
            state = state_of(Snapshot(each))
            return {"host": "database", "image": next(iter(state["images"]), ""), "replicas": state["replicas"], "ready": state["ready"]}
    for service in services:
        if service["metadata"]["name"] == "database" and (host := dig(service, "spec", "externalName")):
            return {"host": host, "image": "", "replicas": 0, "ready": 0}
    return None


def network_policies(probes: Iterable[Object]) -> str:
    """Return the result of the Job that tests whether network policies are enforced; empty if there is no such Job, or none that has ended."""
    ended = {
        condition: any(each.get("type") == condition and each.get("status") == "True" for probe in probes for each in dig(probe, "status", "conditions") or [])
        for condition in ("Complete", "Failed")
    }
    return "enforced" if ended["Complete"] else "not enforced: every pod of the cluster can reach the app and its database" if ended["Failed"] else ""


def volumes(claims: Iterable[Object]) -> list[dict[str, str]]:
    """Return name, size, state and class of each volume claim."""
    return [
        {
            "name": claim["metadata"]["name"],
            "size": dig(claim, "status", "capacity", "storage") or dig(claim, "spec", "resources", "requests", "storage") or "",
            "state": dig(claim, "status", "phase") or "",
            "class": dig(claim, "spec", "storageClassName") or "",
        }
        for claim in claims
    ]


def expiry(certificates: Iterable[Object], days: float, provider: str, environment: str) -> list[dict[str, str]]:
    """Return a problem for each certificate that has expired or expires within ``days``, with what to do about it.

    Nothing if that is not known, as with minikube, which makes certificates for three years.

    Args:
        certificates: As in machine/certificates.py, at most one of each kind.
        provider: The provider of the cluster.
        environment: Its name.
    """
    again = f"ansible-playbook site.yml -i inventories/{environment}"
    advice = {
        "authority": f"nobody renews an authority: make the cluster again (ansible-playbook playbooks/destroy.yml -i inventories/{environment}, then {again}); "
        "its volumes are kept",
        "kubeconfig": f"{again} brings a new one"
        if not providers.of(provider).borrowed
        else f"get another kubeconfig from whoever runs the cluster as berth_existing_kubeconfig, then {again}",
    }
    found = []
    for each in certificates:
        if providers.of(provider).certificates and each["seconds"] < days * 86400:
            told = f"ended {duration(-each['seconds'])} ago" if each["seconds"] < 0 else f"ends in {duration(each['seconds'])}"
            summary = f"{told}, {each['ends'][:10]} ({each['path']})"
            found.append(plain_problem("Certificate", each["kind"], "certificate", summary, advice.get(each["kind"], f"{again} renews it")))
    return found


# -- Text --------------------------------------------------------------------------------------------------------


def text(status: Mapping[str, Any]) -> str:
    """Return the whole status (see plugins/modules/environment_status.py) as a block of aligned text, WIDTH columns wide."""
    cluster = status["cluster"]
    lines = [f"{status['environment']}: {headline(status)}", ""]
    version = " ".join(part for part in (cluster.get("version"), cluster.get("endpoint")) if part) if cluster["state"] != "absent" else ""
    lines += _part("cluster", [f"{cluster['provider']}, {cluster['state']}" + (f", {version}" if version else "")])
    if cluster.get("reason") and not any(each["kind"] == "Cluster" for each in status["problems"]):
        lines += _part("", _wrap(cluster["reason"]))
    if cluster.get("shared_with"):
        lines += _part("", _wrap(f"shared with {', '.join(cluster['shared_with'])}"))
    expiry = _part("expiry", _table(("CERTIFICATE", "ENDS", "IN"), [_expiry(each) for each in status["certificates"]]))
    if status["advice"]:
        return "\n".join([*lines, *expiry, *_problems(status["problems"]), *_part("what to do", _wrap(status["advice"]))])
    lines += _part("nodes", _table(("NAME", "STATE", "VERSION", "AGE"), [(n["name"], n["state"], n["version"], duration(n["age"])) for n in status["nodes"]]))
    if released := status["release"]:
        lines += _part("release", _released(released))
        lines += _part("processes", _table((), [(each["name"], f"{each['ready']} of {each['replicas']} ready") for each in status["processes"]]))
    lines += _part("pods", _pods(status["pods"]))
    if found := status["database"]:
        image = f"{short_image(found['image'])}, {found['ready']} of {found['replicas']} ready" if found["image"] else "outside the cluster"
        lines += _part("database", _wrap(f"{found['host']}: {image}"))
    if found := status["network_policies"]:
        lines += _part("policies", _wrap(found))
    lines += _part("addresses", _table((), [(each["url"], each["answer"]) for each in status["addresses"]]))
    if found := status["requests"]:
        lines += _part("requests", _requests(found))
    lines += _part("volumes", _table(("NAME", "SIZE", "STATE", "CLASS"), [(v["name"], v["size"], v["state"], v["class"]) for v in status["volumes"]]))
    lines += [*expiry, *_problems(status["problems"])]
    for number, each in enumerate(status["incidents"]):
        lines += _part("last hour" if not number else "", _incident(each))
    for number, note in enumerate(status["notes"]):
        lines += _part("not read" if not number else "", _wrap(note))
    return "\n".join(lines)


def headline(status: Mapping[str, Any]) -> str:
    """Return the one line that matters most."""
    if status["advice"]:
        return {"absent": "there is no cluster", "stopped": "the cluster is stopped"}.get(status["cluster"]["state"], "the cluster cannot be used")
    if not status["release"]:
        return "nothing is released yet"
    if count := len(status["problems"]):
        return f"{count} problem{'s' if count > 1 else ''}"
    if not any(each["good"] for each in status["addresses"]):
        return "all pods are ready, but no address answers here: see playbooks/ops/open.yml"
    if count := len(status["incidents"]):
        return f"all is well now, after {count} incident{'s' if count > 1 else ''} in the last hour"
    if failed := (status["requests"] or {}).get("errors"):
        return f"all pods are ready; {failed} request{'s were' if failed > 1 else ' was'} answered with an error"
    return "all is well"


def short_image(reference: str) -> str:
    """Return an image's name with as much of its digest as people compare."""
    return re.sub(r"(@sha256:[0-9a-f]{12})[0-9a-f]+$", r"\1", reference)


def _released(found: Mapping[str, Any]) -> list[str]:
    since = "being rolled out" if found["since"] is None else f"for {duration(found['since'])}"
    pairs = [
        ("image", short_image(found["image"])),
        ("version", found["version"]),
        ("revision", f"{found['revision'] or '?'}, {since}"),
        ("pods", f"{found['ready']} of {found['replicas']} ready"),
    ]
    return [line for name, value in pairs if value for line in _wrap(value, f"{name:<9} ")]


def _problem(found: Mapping[str, Any]) -> list[str]:
    where = f"{found['kind']} {found['name']}" + (f" (pod {found['pod']})" if found["pod"] else "")
    lines = _wrap(f"{where}: {found['summary']}.")
    if found["log"]:
        lines += _wrap(found["log"], "  log: ")
    elif found["message"]:
        lines += _wrap(found["message"], "  ")
    return lines + _wrap(found["advice"], "  do: ")


def _incident(found: Mapping[str, Any]) -> list[str]:
    where = f"{found['pod']} ({found['container']})" if found["container"] else found["pod"]
    times = f", {found['times']} times" if found["times"] > 1 else ""
    lines = _wrap(f"{where} {found['text']}{times}, {duration(found['age'])} ago.")
    if found["log"]:
        lines += _wrap(found["log"], "  log: ")
    return lines + _wrap(found["advice"], "  do: ")


def _pods(found: Sequence[Mapping[str, Any]]) -> list[str]:
    titles = ("NAME", "READY", "RESTARTS", "AGE", "MEMORY", "STATE")
    rows = [(p["name"], f"{p['ready']}/{p['containers']}", str(p["restarts"]), duration(p["age"]), p["memory"], p["state"]) for p in found]
    measured = any(p["memory"] for p in found)
    return _table(titles, rows) if measured else _table((*titles[:4], titles[5]), [(*row[:4], row[5]) for row in rows])


PAGES = 5
"""How many kinds of failed requests are named."""


def _requests(found: Mapping[str, Any]) -> list[str]:
    """Return the answers that visitors got: the number of requests, and the most frequent failures."""
    all_of_them = f"{found['count']} in the last {duration(found['seconds'])}"
    if not found["errors"]:
        return [f"{all_of_them}, none answered with an error"]
    lines = _wrap(f"{all_of_them}, {found['errors']} answered with an error, the last {duration(found['age'])} ago:")
    rows = [(f"  {each['request']}", str(each["status"]), f"{each['times']} times" if each["times"] > 1 else "once") for each in found["pages"][:PAGES]]
    return lines + _table((), rows) + (_wrap(found["raised"], "  log: ") if found["raised"] else [])


def _problems(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line for number, each in enumerate(found) for line in _part("problems" if not number else "", _problem(each))]


def _expiry(found: Mapping[str, Any]) -> tuple[str, str, str]:
    return found["kind"], found["ends"][:10], duration(found["seconds"]) if found["seconds"] > 0 else "ended"


def _part(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title if not number else '':<{_LABEL}}{line}".rstrip() for number, line in enumerate(lines)]


def _wrap(words: str, first: str = "") -> list[str]:
    """Return text wrapped at WIDTH, but not within a command, with further lines indented below the beginning of the first."""
    return textwrap.wrap(words, WIDTH - _LABEL, initial_indent=first, subsequent_indent=" " * len(first), break_on_hyphens=False) or [first.rstrip()]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as aligned columns below their titles; no lines if there are no rows. A name that is too long is cut in the middle."""
    if not rows:
        return []
    cells = [list(row) for row in ([titles] if titles else []) + list(rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    widths[0] = min(widths[0], max(12, WIDTH - _LABEL - sum(width + 2 for width in widths[1:])))
    for row in cells:
        row[0] = _middle(row[0], widths[0])
    return [_clip("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()) for row in cells]


def _middle(words: str, width: int) -> str:
    half = width // 2
    return words if len(words) <= width else f"{words[: width - half - 1]}…{words[-half:]}"


def _clip(words: str) -> str:
    return words if len(words) <= WIDTH - _LABEL else f"{words[: WIDTH - _LABEL - 1]}…"
