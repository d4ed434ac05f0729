"""The state of an environment at a glance."""

from __future__ import annotations

DOCUMENTATION = """
module: environment_status
short_description: Report the state of an environment in one block of text
description:
  - Says when certificates end, those of a cluster on this machine and that of the kubeconfig.
  - Reads cluster, nodes, release, pods, database, addresses and volumes with one request for each kind, and says why something is not ready.
  - Works without a cluster, with a stopped one and with a namespace in which nothing is released. It names what the user may not read, and shows the rest.
  - Changes nothing. Values of Secrets are replaced by C(***) in what Kubernetes and the pods say, as far as the user may read them.
options:
  environment: {description: The environment's name., type: str, required: true}
  cluster:
    description:
      - "The cluster role's facts: C(provider), C(state), and where known C(reason), C(version), C(endpoint), C(shared_with),
        C(certificates) (M(kubeadm_info)) and C(renew_days)."
      - The API server is not asked when C(state) is C(absent), C(stopped), C(paused), C(partial), C(lost) or C(foreign).
    type: dict
    required: true
  kubeconfig: {description: The environment's kubeconfig., type: path, required: true}
  namespace: {description: The environment's namespace., type: str, required: true}
  app: {description: "The app's name, that of its Deployment and Service.", type: str, required: true}
  path: {description: The path of the page to request at each of its addresses., type: str, default: /}
  inventory: {description: "Where the environment's variables are set, for the advice.", type: str, default: the inventory}
  timeout: {description: Seconds that an address gets to answer., type: int, default: 2}
attributes:
  check_mode: {support: full, description: Reads only.}
  diff_mode: {support: none, description: Nothing is changed.}
"""

EXAMPLES = """
- name: Read the status
  berth.platform.environment_status:
    environment: dev
    cluster: "{{ cluster_facts }}"
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    app: polls
  register: __status
"""

RETURN = """
text: {description: "The block of text, at most 88 columns wide.", type: str, returned: always}
status:
  description: The same as data.
  returned: always
  type: dict
  contains:
    cluster: {description: As given., type: dict}
    advice: {description: "What to do when there is no cluster to ask, else empty.", type: str}
    nodes: {description: "name, state, version and age (seconds) of each.", type: list, elements: dict}
    release: {description: "name, image, version, revision, replicas, ready, updated, since (seconds; null while being rolled out). Null for none.", type: dict}
    processes: {description: "name, replicas and ready of each that runs beside web.", type: list, elements: dict}
    pods:
      description: "name, ready, containers, restarts, age (seconds), state and memory (what the fullest container uses of its limit, else empty) of each."
      type: list
      elements: dict
    database: {description: "host, image, replicas and ready. Null for none.", type: dict}
    network_policies: {description: "Whether they are enforced; empty if that was not tested.", type: str}
    addresses:
      description: "url, answer (text), status and good (whether it is a page) of each that is good, or of all if none is."
      type: list
      elements: dict
    volumes: {description: "name, size, state and class of each.", type: list, elements: dict}
    certificates: {description: "kind, path, ends (RFC 3339) and seconds until then, the first of each kind to end.", type: list, elements: dict}
    incidents:
      description:
        - What went wrong in the last hour and is over, the latest first.
        - "Each with pod, container, at, age (seconds), text, advice, times and log (its last line)."
      type: list
      elements: dict
    problems: {description: "kind, name, pod, container, cause, summary, message, log (its last line) and advice.", type: list, elements: dict}
    requests:
      description:
        - How visitors' requests were answered, from the access logs of the web pods: the last hour, at most 5,000 lines of each.
        - "count, errors (5xx), seconds (looked back), age (seconds since the last error), pages (request, status, times) and raised (the last traceback
          in a log, if there is one). Null if the logs have no request."
      type: dict
    notes: {description: What could not be read., type: list, elements: str}
"""

import contextlib
import urllib.parse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import access, access_log, client, logs, probes, served_files
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, Unreachable
from ..module_utils.kube.objects import dig
from ..module_utils.kube.redact import redact, unshown
from ..module_utils.machine import certificates as certificate_ends
from ..module_utils.rollout import incidents as last_hour
from ..module_utils.rollout import memory, page_error, symptoms
from ..module_utils.rollout import status as status_text
from ..module_utils.rollout.advice import advice_of
from ..module_utils.rollout.message import symptom_of
from ..module_utils.rollout.model import Snapshot, plain_problem

# What to do if the API server is not asked.
ADVICE = {
    "absent": "ansible-playbook site.yml -i inventories/{environment} creates it",
    "stopped": "ansible-playbook playbooks/ops/start.yml -i inventories/{environment} starts it with everything that was in it",
    "partial": "ansible-playbook site.yml -i inventories/{environment} creates it again after the interrupted run",
    "paused": "ansible-playbook playbooks/ops/start.yml -i inventories/{environment} resumes it",
    "lost": "ansible-playbook site.yml -i inventories/{environment} -e minikube_recreate=true recreates it; what it held is lost",
    "foreign": "this machine runs a Kubernetes cluster that Berth did not create: use another machine, or remove the cluster with the tool that created it",
}
# A machine has room for one kubeadm cluster, but for many of minikube's.
ADVICE_FOREIGN_PROFILE = "set minikube_profile in {inventory} to another name, or remove the profile that has this one"
# If it is asked, because it may answer nevertheless.
ADVICE_UNREADY = "ansible-playbook playbooks/ops/start.yml -i inventories/{environment} starts the parts that are not running"
KINDS = ("Node", "Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "Pod", "Service", "Ingress", "PersistentVolumeClaim", "Event")
# The Job with which the namespace role tests whether policies are enforced: a failure is an answer, not a problem.
PROBE = "probe"
READ = 60  # lines of a log: together they tell more than the last one, such as where an import failed
SHOWN = 5  # of which one is shown
LIMIT = 5000  # of a kind, or lines of an access log: an answer that would take long is cut off
HOUR = 3600  # seconds of access logs
RENEW_DAYS = 60  # before its end a certificate is a problem


def _probes(found: Mapping[str, Any]) -> bool:
    return dig(found, "metadata", "labels", "app.kubernetes.io/component") == PROBE


class Reader:
    """Reads an environment.

    Args:
        cluster: The API server.
        namespace: Of the environment.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.notes: list[str] = []
        self.probes: list[dict[str, Any]] = []

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """Return the objects by kind, without the probe; a kind that may not be read is left out and noted.

        Raises:
            KubeError: The API server does not answer, or not to this user.
        """
        found = {}
        for kind in KINDS:
            try:
                items = self.cluster.items(kind, self.namespace, limit=LIMIT)
            except Forbidden:
                self.notes.append(f"{kind} objects: this user may not list them")
                continue
            found[kind] = [each for each in items if not _probes(each)]
            self.probes += [each for each in items if kind == "Job" and _probes(each)]
        return found

    def incidents(self, objects: dict[str, list[dict[str, Any]]], problems: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Return what went wrong in the last hour and is over, without the pods whose ``problems`` are told."""
        pods = {pod["metadata"]["name"]: pod for pod in objects.get("Pod", [])}
        present = {each["pod"] for each in problems}
        told = last_hour.incidents(pods.values(), objects.get("Event", []), self.cluster.now)
        found = [each | {"age": status_text.seconds_between(each["at"], self.cluster.now)} for each in told if each["pod"] not in present]
        for each in found:
            spec = dig(pods.get(each["pod"], {}), "spec") or {}
            lines = self._log(each["pod"], each["container"], "previous") if each.pop("previous") else []
            each["log"] = redact(symptoms.telling(lines[-SHOWN:]), unshown(self.cluster, self.namespace, spec)) if lines else ""
        return found

    def problems(self, objects: dict[str, list[dict[str, Any]]]) -> list[dict[str, str]]:
        """Return what keeps workloads from being complete."""
        return [self._told(each) for each in status_text.snapshots(objects, self.cluster.now) if status_text.problem(each)]

    def _told(self, snapshot: Snapshot) -> dict[str, str]:
        found = status_text.problem(snapshot)
        assert found
        finding, progress = found
        values = unshown(self.cluster, self.namespace, dig(snapshot.workload, "spec", "template", "spec") or {})
        lines = self._log(finding.pod, finding.container, finding.log, "current") if finding.log and finding.pod else []
        lines = [redact(line, values) for line in lines]
        symptom = symptom_of(finding, lines, snapshot.workload)
        summary = finding.summary if finding.cause == "waiting" else f"{finding.summary} ({progress.partition(' (')[0]})"
        if symptom:
            summary = f"{summary}: {symptom.summary}"
        message = finding.message.strip().partition("\n")[0]
        return {
            "kind": str(snapshot.workload["kind"]),
            "name": snapshot.workload["metadata"]["name"],
            "pod": finding.pod,
            "container": finding.container,
            "cause": symptom.cause if symptom else finding.cause,
            "summary": redact(summary, values),
            "message": "" if message in finding.summary else redact(message, values),
            "log": "" if symptom and symptom.cause == "checks" else symptoms.telling(lines[-SHOWN:]),
            "advice": symptom.advice if symptom else advice_of(finding, snapshot.workload),
        }

    def uses(self, objects: dict[str, list[dict[str, Any]]]) -> dict[str, memory.Use]:
        """Return the memory use of the pods by name; nothing if the cluster does not measure it, or this user may not ask."""
        try:
            return memory.uses(objects.get("Pod", []), self.cluster.items(memory.METRICS, self.namespace))
        except Unreachable:
            raise
        except KubeError:
            return {}

    def requests(self, objects: dict[str, list[dict[str, Any]]]) -> dict[str, Any] | None:
        """Return how visitors' requests were answered in the last hour, None if no web pod's log has any."""
        texts: list[str] = []
        paths: set[str] = set()
        values: set[str] = set()
        for pod in objects.get("Pod", []):
            spec = dig(pod, "spec") or {}
            container = served_files.app_container(spec)
            if dig(pod, "metadata", "labels", "app.kubernetes.io/component") != "web" or dig(pod, "status", "phase") != "Running" or not container:
                continue
            paths |= {probe.path for probe in probes.probes(container)}
            values = values or unshown(self.cluster, self.namespace, spec)
            query: dict[str, str | int] = {"container": container["name"], "timestamps": "true", "sinceSeconds": HOUR, "tailLines": LIMIT}
            with contextlib.suppress(KubeError):
                texts.append(self.cluster.log(self.namespace, pod["metadata"]["name"], **query))
        found = access_log.answers(texts, paths)
        if not found.count:
            return None
        lines = [line for text in texts for stamped in text.splitlines() for line in logs.plain(stamped.partition(" ")[2])] if found.failed else []
        return {
            "count": found.count,
            "errors": found.failed.total(),
            "seconds": status_text.seconds_between(access_log.begin(texts, LIMIT), self.cluster.now),
            "age": status_text.seconds_between(found.last, self.cluster.now),
            "pages": [
                {"request": redact(f"{each.method} {each.path}", values), "status": each.status, "times": times} for each, times in found.failed.most_common()
            ],
            "raised": redact(page_error.told(page_error.last_traceback(lines)), values),
        }

    def _log(self, pod: str, container: str, *runs: str) -> list[str]:
        """Return the end of a container's log, of the first of its ``runs`` (previous, current) that has one; empty when none has."""
        for run in runs:
            attempt: dict[str, str | int] = {"tailLines": READ, "container": container, **({"previous": "true"} if run == "previous" else {})}
            try:
                lines = [line for line in self.cluster.log(self.namespace, pod, **attempt).splitlines() if line.strip()]
            except KubeError:
                continue
            if lines:
                return [logs.readable(line)[0] for line in lines]
        return []


def addresses(objects: Mapping[str, list[dict[str, Any]]], app: str, timeout: float, path: str = "/") -> list[dict[str, Any]]:
    """Return the app's addresses that answer with a page, or all of them with what they answer where none does; all asked at once."""
    service = next((each for each in objects.get("Service", []) if each["metadata"]["name"] == app), None)
    if not service:
        return []
    urls = access.candidates(service, objects.get("Ingress", []), objects.get("Node", []), path)
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda url: access.ask(url, timeout), urls))
    found = [{"url": url, "answer": answer.text, "good": answer.good, "status": answer.status} for url, answer in zip(urls, answers, strict=True)]
    return [each for each in found if each["good"]] or found


def page_problems(cluster: Cluster, namespace: str, app: str, found: list[dict[str, Any]], requests: dict[str, Any] | None) -> list[dict[str, str]]:
    """Return a problem if the app answers a page with an error of its own, with what the page raises.

    Args:
        cluster: The API server.
        namespace: Of the environment.
        app: The app's name.
        found: As ``addresses`` returns it.
        requests: As ``Reader.requests`` returns it: a page that failed for visitors counts if it still raises something.
    """
    if failing := next((each for each in found if each["status"] >= 500), None):
        raised, way = page_error.explained(page_error.of_url(cluster, namespace, app, failing["url"]))
        return [_page_problem(failing["url"], f"answers {failing['answer'].partition(' ')[0]}{': ' if raised else ''}{raised}", way)]
    pages = [each for each in (requests or {}).get("pages", []) if each["request"].startswith("GET ") and each["status"] == 500]
    if not pages or not found:
        return []
    url = urllib.parse.urljoin(found[0]["url"], pages[0]["request"].removeprefix("GET "))
    raised, way = page_error.explained(page_error.of_url(cluster, namespace, app, url))
    return [_page_problem(url, f"answers 500: {raised}", way)] if raised else []


def _page_problem(url: str, summary: str, way: str) -> dict[str, str]:
    return plain_problem("Page", url, "answer", summary, way or "fix it in the app")


def cluster_problems(facts: Mapping[str, Any], environment: str) -> list[dict[str, str]]:
    """Return a problem if the cluster answers, but parts of it will not run by themselves."""
    parts = facts.get("lasting", [facts.get("reason") or "it is not completely running"] if facts["state"] == "unready" else [])
    advice = f"ansible-playbook site.yml -i inventories/{environment} starts or creates that"
    return [plain_problem("Cluster", str(facts.get("provider", "")), "cluster", "; ".join(parts), advice)] if parts else []


def status(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status as data; a cluster that cannot be asked is part of it, not an error."""
    environment, facts = parameters["environment"], dict(parameters["cluster"])
    certificates = certificate_ends.earliest(facts.pop("certificates", []))
    if facts["state"] != "absent":
        certificates += certificate_ends.of_kubeconfig(Path(parameters["kubeconfig"]))
    expiry = status_text.expiry(certificates, facts.pop("renew_days", RENEW_DAYS), facts.get("provider", ""), environment)
    empty: dict[str, Any] = {"nodes": [], "release": None, "processes": [], "pods": [], "database": None, "addresses": [], "volumes": []}
    empty |= {"incidents": [], "requests": None, "notes": [], "network_policies": "", "certificates": certificates, "problems": expiry}
    found = {"environment": environment, "namespace": parameters["namespace"], "cluster": facts, "advice": "", **empty}
    if facts["state"] in ADVICE:
        profile = facts["state"] == "foreign" and facts.get("provider") == "minikube"
        advice = ADVICE_FOREIGN_PROFILE if profile else ADVICE[facts["state"]]
        return {**found, "advice": advice.format(environment=environment, inventory=parameters["inventory"])}
    try:
        cluster = Cluster(parameters["kubeconfig"], None)
        # What answers may be newer than what the facts expect.
        facts["version"] = cluster.version() or facts.get("version", "")
        reader = Reader(cluster, parameters["namespace"])
        objects = reader.read()
        problems = reader.problems(objects)
        incidents = reader.incidents(objects, problems)
        used = reader.uses(objects)
        requests = reader.requests(objects)
    except KubeError as error:
        more = f". {ADVICE_UNREADY.format(environment=environment)}" if facts["state"] == "unready" else ""
        return {**found, "advice": f"{str(error).rstrip('.')}{more}"}
    now, app = cluster.now, parameters["app"]
    deployment = next((each for each in objects.get("Deployment", []) if each["metadata"]["name"] == app), None)
    asked = addresses(objects, app, parameters["timeout"], parameters["path"])
    problems = problems or page_problems(cluster, parameters["namespace"], app, asked, requests)
    return {
        **found,
        "nodes": status_text.nodes(objects.get("Node", []), now),
        "release": status_text.release(deployment, now) if deployment else None,
        "processes": status_text.processes(objects.get("Deployment", [])),
        "pods": status_text.pods(objects.get("Pod", []), now, used),
        "database": status_text.database(objects.get("StatefulSet", []), objects.get("Service", [])),
        "network_policies": status_text.network_policies(reader.probes),
        "addresses": asked,
        "volumes": status_text.volumes(objects.get("PersistentVolumeClaim", [])),
        "problems": cluster_problems(facts, environment) + problems + memory.problems(objects.get("Pod", []), used) + expiry,
        "incidents": incidents,
        "requests": requests,
        "notes": reader.notes,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "cluster": {"type": "dict", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "inventory": {"type": "str", "default": "the inventory"},
            "app": {"type": "str", "required": True},
            "path": {"type": "str", "default": "/"},
            "timeout": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    found = status(module.params)
    module.exit_json(changed=False, text=status_text.text(found), status=found)


if __name__ == "__main__":
    main()
