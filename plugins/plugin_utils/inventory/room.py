"""What an environment needs, and whether there is room for it: in its namespace's quota, and on a cluster whose only node is this machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from ...module_utils.kube import processes as process_objects
from ...module_utils.kube import served_files
from ...module_utils.kube.resources import Resources, number, shown, with_resources
from .variables import Problem

CLASS = ".storageclass.storage.k8s.io/"


@dataclass(frozen=True)
class Pods:
    """A number of identical pods.

    Attributes:
        what: One of them in words, with ``{}`` for its resources.
        several: Several of them in words.
        whose: Their owner in words.
        surplus: How many of them do not run all the time.
        note: When those run, in words, if that has to be said.
    """

    count: int
    resources: Resources
    what: str
    several: str
    whose: str
    surplus: int = 0
    note: str = ""

    def each(self, share: str | None) -> str:
        """Return the pods in words, with the ``share`` of each."""
        note = f" ({self.note})" if self.note else ""
        words = self.what if self.count == 1 else f"{self.count} {self.several}{note}"
        return words.format(f" of {share}" if share else "")

    def lasting(self) -> Pods:
        """Return those that run all the time."""
        return replace(self, count=self.count - self.surplus, surplus=0, note="")

    def amount(self, kind: str, resource: str) -> Decimal | None:
        """Return how much of a resource all of them take; None if a container does not declare it, so that a quota for it rejects the pods."""
        value = self.resources[kind].get(resource)
        return None if value is None else self.count * number(value)


@dataclass(frozen=True)
class Environment:
    """Everything that runs in an environment's namespace, in any phase of a release."""

    pods: tuple[Pods, ...]
    """Pods that run all the time."""
    passing: tuple[Pods, ...]
    """Pods of which one runs at a time: a release's Job, then an extra web pod during the rollout; in the first run a probe and a login.

    Terminating pods do not count: the next one is created when they are gone.
    """
    objects: Mapping[str, int]
    """The number of other objects that a quota can count, by the quota's name for them."""
    claims: tuple[tuple[Decimal, str], ...]
    """Size in bytes and storage class of each volume's claim."""
    volumes: bool
    """Whether the app has volumes of its own."""

    @classmethod
    def of(cls, get: Callable[[str], Any], roles: Mapping[str, Any]) -> Environment:
        """Return what an inventory creates.

        Args:
            get: Returns a variable's valid value, or its default.
            roles: Role variables with the resources of containers that the inventory does not configure.
        """
        limit_range = {"requests": roles["namespace_container_requests"], "limits": roles["namespace_container_limits"]}

        def container(given: Resources) -> Resources:
            # The API server's defaults: the limit is used as request, then come the LimitRange's defaults.
            # https://kubernetes.io/docs/concepts/policy/limit-range/
            requests, limits = given.get("requests", {}), given.get("limits", {})
            return {"requests": {**limit_range["requests"], **limits, **requests}, "limits": {**limit_range["limits"], **limits}}

        resources = with_resources(roles["app_resources_default"], get("berth_app_resources"))
        app, processes = container(resources), get("berth_app_processes")
        database, scaling, schedules = get("berth_database"), get("berth_app_autoscaling"), len(get("berth_app_schedules"))
        web, least = (int(scaling["max"]), int(scaling["min"])) if scaling else (int(get("berth_app_replicas")),) * 2
        files = served_files.served(get("berth_app_volumes"), get("berth_app_static"))
        whole = together(app, container(served_files.resources(resources))) if files else app
        pods = [Pods(web, whole, "1 web pod{}", "web pods{}", "the app", web - least)]
        passing = [
            Pods(1, whole, "one more{} during a release", "", "the app"),
            Pods(1, container({}), "a probe{} in the first run", "", "the network policies' probe"),
        ]
        for name, process in processes.items():
            # All are replaced at the same time as web: each one that is not a singleton has an extra pod meanwhile.
            surplus = 0 if process_objects.is_singleton(process) else 1
            count, each = process_objects.replicas(process) + surplus, container(with_resources(resources, process.get("resources") or {}))
            pods.append(Pods(count, each, f"1 pod{{}} of {name}", f"pods{{}} of {name}", "the app", surplus, "one of them during a release" if surplus else ""))
        if schedules:
            pods.append(Pods(schedules, app, "1 schedule{}", "schedules{}", "the app", schedules))
        if database == "cluster":
            pods.append(Pods(1, container(roles["database_resources"]), "the database{}", "", "the database"))
        if get("berth_cache") == "cluster":
            memory = get("berth_cache_memory")
            pods.append(Pods(1, container({"requests": {"cpu": "20m", "memory": memory}, "limits": {"memory": memory}}), "the cache{}", "", "the cache"))
        if database == "rds":
            passing.append(Pods(1, container(roles["database_client_resources"]), "the login{} of the database in the first run", "", "the database's login"))
        volumes = [(number(each["size"]), each.get("storage_class") or "") for each in get("berth_app_volumes").values()]
        claims = [(number(get("berth_database_storage")), get("berth_database_storage_class") or "")] if database == "cluster" else []
        caches = int(get("berth_cache") == "cluster")
        services = 2 + len(get("berth_app_database_aliases")) + caches
        objects = {"services": services, "services.nodeports": 1, "statefulsets.apps": len(claims)}
        objects |= {"deployments.apps": 1 + len(processes) + caches, "cronjobs.batch": schedules}
        return cls(tuple(pods), tuple(passing), objects, (*claims, *volumes), bool(volumes))

    def stored(self, key: str) -> Decimal:
        """Return the bytes of volumes that a quota's ``key`` counts, of one storage class or of all."""
        name, of_a_class, _ = key.partition(CLASS)
        return sum((size for size, storage_class in self.claims if not of_a_class or name == storage_class), Decimal(0))

    def counted(self, key: str) -> int:
        """Return the number of objects that a quota's ``key`` counts; 0 if it is not known."""
        name, of_a_class, kind = key.rpartition(CLASS)
        if kind == "persistentvolumeclaims":
            return sum(not of_a_class or name == storage_class for _, storage_class in self.claims)
        return 0 if of_a_class else self.objects.get(kind, 0)

    def takes(self, key: str) -> list[tuple[Pods, Decimal | None]]:
        """Return the most pods at a time that a quota's ``key`` counts, each with its amount; None if a container does not declare it."""
        kind = re.fullmatch(r"(requests|limits)\.(.+)", key)
        where, resource = (kind[1], kind[2]) if kind else ("requests", key)
        amounts = [(pods, Decimal(pods.count) if key == "pods" else pods.amount(where, resource)) for pods in (*self.pods, *self.passing)]
        silent: list[tuple[Pods, Decimal | None]] = [(pods, amount) for pods, amount in amounts if amount is None]
        return silent or [*amounts[: len(self.pods)], max(amounts[len(self.pods) :], key=lambda one: one[1] or 0)]


def together(*containers: Resources) -> Resources:
    """Return the total of a pod's containers for each resource that all of them declare.

    >>> together({"requests": {"cpu": "50m", "memory": "128Mi"}}, {"requests": {"cpu": "10m"}})
    {'requests': {'cpu': Decimal('0.060')}}
    """
    first, *others = containers
    return {
        kind: {key: sum((number(each[kind][key]) for each in containers), Decimal(0)) for key in values if all(key in each[kind] for each in others)}
        for kind, values in first.items()
    }


# https://kubernetes.io/docs/concepts/policy/resource-quotas/
COMPUTE = re.compile(r"pods|cpu|memory|ephemeral-storage|((requests|limits)\.)(cpu|memory|ephemeral-storage|hugepages-.+)")


def problems(environment: Environment, default: Mapping[str, Any], given: Mapping[str, Any], web: tuple[str, ...]) -> list[Problem]:
    """Return the problems with a namespace's quota.

    Args:
        environment: What runs.
        default: Berth's own quota.
        given: ``berth_quota``, which overrides it.
        web: The path of the variable with the number of web pods.
    """
    found = []
    for key, limit in {**default, **given}.items():
        counted = key.removeprefix("count/")
        if COMPUTE.fullmatch(counted):
            takes = environment.takes(counted)
            if any(amount is None for _, amount in takes):
                who = listed(dict.fromkeys(pods.whose for pods, _ in takes))
                text = f"makes Kubernetes reject pods whose containers do not declare it, and those of {who} do not; remove it"
                found.append(Problem(("berth_quota", key), text))
                continue
            need, path = sum((amount or Decimal(0) for _, amount in takes), Decimal(0)), web
            unit = " CPU" if counted.endswith("cpu") else ""
            shares = [None if counted == "pods" else f"{shown((amount or Decimal(0)) / pods.count, key)}{unit}" for pods, amount in takes]
            what = listed(pods.each(share) for (pods, _), share in zip(takes, shares, strict=True)) + " need"
            way = "run fewer of them" if counted == "pods" else "run fewer of them, or lower berth_app_resources"
        elif counted.endswith("requests.storage"):
            need, path, what, way = environment.stored(counted), ("berth_database_storage",), "the database's volume needs", "lower it"
            if environment.volumes:
                path, what, way = ("berth_app_volumes",), "the volumes need", "lower their sizes"
        else:
            need, path, what, way = Decimal(environment.counted(counted)), ("berth_quota",), "the app needs", "remove it"
        if need <= number(limit):
            continue
        if key in given:
            text = f"{limit} is too little: {what} {shown(need, key)}; raise it, or {way}"
            found.append(Problem(("berth_quota", key), text))
        else:
            text = f"{what} {shown(need, key)} of {key}, but the namespace has {limit}; set {key}: {shown(need, key)} in berth_quota, or {way}"
            found.append(Problem(path, text))
    return found


def node_problems(environment: Environment, free: Mapping[str, Decimal], taken: Mapping[str, Decimal], path: tuple[str, ...]) -> list[Problem]:
    """Return the problems with an environment that does not fit on the only node of its cluster.

    Only what is sure: the pods that run all the time, and the web pod that is the first to be replaced in a release.

    Args:
        environment: What runs.
        free: How much of each resource the node has for its pods.
        taken: How much Kubernetes' own pods have already requested.
        path: The path of the variable that is to blame.
    """
    found = []
    for resource, whole in free.items():
        pods = [each for each in (*map(Pods.lasting, environment.pods), environment.passing[0]) if each.count]
        amounts = [(each, each.amount("requests", resource) or Decimal(0)) for each in pods]
        need, left = sum((amount for _, amount in amounts), Decimal(0)), whole - taken[resource]
        if need <= left:
            continue
        unit = " CPU" if resource == "cpu" else ""
        what = listed(each.each(f"{shown(amount / each.count, resource)}{unit}") for each, amount in amounts if amount)
        name = "CPU" if resource == "cpu" else resource
        text = f"{what} request {shown(need, resource)} of {name}, but this machine has {shown(whole, resource)}, of which Kubernetes itself requests"
        found.append(Problem(path, f"{text} {shown(taken[resource], resource)}; lower berth_app_resources, run fewer pods, or use a larger machine"))
    return found


def listed(words: Iterable[str]) -> str:
    """Return words joined with commas and "and"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
