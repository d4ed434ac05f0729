"""A cluster that keeps what is put into it: every Job ends well at once, unless it is to fail, and every Deployment serves at once."""

from __future__ import annotations

import copy
import json
import re
import threading
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from ansible_collections.berth.platform.plugins.module_utils.kube.client import CLUSTER_SCOPED, KINDS

Object = dict[str, Any]
Answer = tuple[int, Any]
PATH = re.compile(r"(?P<prefix>/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?")
KIND = {(prefix, plural): kind for kind, (prefix, plural, _) in KINDS.items()}
VERBS = ["create", "delete", "get", "list", "patch", "update"]


def refused(status: int, reason: str) -> Answer:
    """Return an answer of refusal."""
    return status, {"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": status}


def merge(into: Object, given: Object) -> None:
    """Apply a merge patch (RFC 7386)."""
    for key, value in given.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = copy.deepcopy(value)


class KeptCluster:
    """The cluster; ``reply`` answers in the place of the one of fake_api.Api.

    ``failing`` is the beginning of the names of Jobs that fail; ``objects`` are what is there, by path.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.failing = ""
        self.lock = threading.Lock()
        self.put("/api/v1/namespaces/kube-system", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}})

    def reply(self, method: str, full: str, body: str) -> Answer:
        """Answer a request."""
        path, _, query = full.partition("?")
        with self.lock:
            if method == "GET" and (found := self.discovered(path)):
                return 200, found
            match = PATH.fullmatch(path)
            kind = KIND.get((match["prefix"], match["plural"]), "") if match else ""
            if not match or not kind:
                return refused(404, "NotFound")
            given = {key: values[0] for key, values in parse_qs(query).items()}
            # Nobody asks pods, for there are none: whoever would ask for their health is told that he may not.
            if kind == "Pod" and "component=web" in given.get("labelSelector", ""):
                return refused(403, "Forbidden")
            if method == "GET" and not match["name"]:
                return 200, {"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": self.listed(path, given.get("labelSelector", ""))}
            content = json.loads(body) if body else {}
            if method == "PATCH" and "fieldManager" in given and path not in self.objects:  # a server-side apply makes what is not there
                made = {**content, "kind": kind}
                return 201, made if "dryRun" in given else self.put(path, made)
            return self.one(method, path, content, kind, dry="dryRun" in given)

    def discovered(self, path: str) -> Object | None:
        """Return what the API has, as clients ask for it first."""
        if path == "/version":
            return {"major": "1", "minor": "33", "gitVersion": "v1.33.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "/apis":
            versions = {
                group: {"groupVersion": f"{group}/{prefix.rpartition('/')[2]}", "version": prefix.rpartition("/")[2]} for prefix, _, group in KINDS.values()
            }
            groups = [{"name": group, "versions": [version], "preferredVersion": version} for group, version in versions.items() if group]
            return {"kind": "APIGroupList", "groups": groups}
        found = [(kind, plural) for kind, (prefix, plural, _) in KINDS.items() if prefix == path]
        resources = [
            {"name": plural, "singularName": kind.lower(), "namespaced": kind not in CLUSTER_SCOPED, "kind": kind, "verbs": VERBS} for kind, plural in found
        ]
        return {"kind": "APIResourceList", "groupVersion": path.split("/", 2)[2], "resources": resources} if resources else None

    def listed(self, path: str, selector: str) -> list[Object]:
        """Return the objects of a kind that have the labels."""
        labels = dict(part.split("=", 1) for part in selector.split(",") if part)
        mine = [found for where, found in sorted(self.objects.items()) if where.rpartition("/")[0] == path]
        return [found for found in mine if labels.items() <= (found["metadata"].get("labels") or {}).items()]

    def one(self, method: str, path: str, given: Any, kind: str, dry: bool) -> Answer:
        """Answer a request for an object."""
        if method == "POST":
            path, given = f"{path}/{given['metadata']['name']}", {**given, "kind": kind}
            return refused(409, "AlreadyExists") if path in self.objects else (201, given if dry else self.put(path, given))
        found = self.objects.get(path)
        if found is None:
            return refused(404, "NotFound")
        if method == "GET":
            return 200, found
        if method == "DELETE":
            del self.objects[path]
            return 200, {"kind": "Status", "status": "Success"}
        changed = copy.deepcopy(found)
        merge(changed, given)
        return 200, changed if dry else self.put(path, changed)

    def put(self, path: str, given: Object) -> Object:
        """Keep an object, with what a cluster adds to it."""
        before, made = self.objects.get(path), copy.deepcopy(given)
        known = before["metadata"] if before else {"uid": str(uuid.uuid4()), "creationTimestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "generation": 0}
        another = before is None or before.get("spec") != made.get("spec")
        made["metadata"] |= {key: known[key] for key in ("uid", "creationTimestamp")} | {"generation": known["generation"] + another, "resourceVersion": "1"}
        if made["kind"] == "Job":
            failed = self.failing and made["metadata"]["name"].startswith(self.failing)
            condition = {"type": "Failed" if failed else "Complete", "status": "True", "reason": "BackoffLimitExceeded" if failed else ""}
            made["status"] = {"failed" if failed else "succeeded": 1, "conditions": [condition]}
        if made["kind"] == "Deployment":
            pods = made["spec"].setdefault("replicas", 1)
            made["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = str(made["metadata"]["generation"])
            counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), pods)
            progress = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
            made["status"] = {"observedGeneration": made["metadata"]["generation"], **counts, "conditions": [progress, {"type": "Available", "status": "True"}]}
        self.objects[path] = made
        return made
