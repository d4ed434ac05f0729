"""Volumes of the app: ``berth_app_volumes`` as claims, volumes and mounts, and whether several nodes can use them. Nothing is read from a cluster here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.validation import check_type_bool

from .objects import condition, dig

Object = Mapping[str, Any]
Volume = Mapping[str, Any]
"""``path`` in the containers, ``size`` and, optionally, ``storage_class`` and ``shared``."""

COMPONENT = "volume"
ONE_NODE, EVERY_NODE = "ReadWriteOnce", "ReadWriteMany"
"""https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes"""
SHARED = (
    "efs.csi.aws.com",
    "fsx.csi.aws.com",
    "file.csi.azure.com",
    "filestore.csi.storage.gke.io",
    "nfs.csi.k8s.io",
    "cephfs.csi.ceph.com",
    "rook-ceph.cephfs.csi.ceph.com",
    "openshift-storage.cephfs.csi.ceph.com",
    "driver.longhorn.io",
    "smb.csi.k8s.io",
    "org.gluster.glusterfs",
)
"""Provisioners whose volumes can be used by pods on several nodes at once, from https://kubernetes-csi.github.io/docs/drivers.html."""
DEFAULT = "storageclass.kubernetes.io/is-default-class"
ELSEWHERE = "an NFS server's, CephFS, Longhorn or, on AWS, EFS"
"""Storage whose classes have volumes that can be shared."""


def claim_name(app: str, volume: str) -> str:
    """Return the name of a volume's claim."""
    return f"{app}-{volume}"


def _pod_name(volume: str) -> str:
    # No directory of berth_app_writable has a name with two hyphens.
    return f"volume--{volume}"


def classes(volumes: Mapping[str, Volume]) -> dict[str, str]:
    """Return the storage class that each volume requests, by the volume's name; empty for the default class."""
    return {name: volume.get("storage_class") or "" for name, volume in volumes.items()}


def pod_volumes(volumes: Mapping[str, Volume], app: str) -> list[dict[str, Any]]:
    """Return the volumes of a pod.

    >>> pod_volumes({"media": {"path": "/code/media", "size": "5Gi"}}, "shop")
    [{'name': 'volume--media', 'persistentVolumeClaim': {'claimName': 'shop-media'}}]
    """
    return [{"name": _pod_name(name), "persistentVolumeClaim": {"claimName": claim_name(app, name)}} for name in volumes]


def mounts(volumes: Mapping[str, Volume]) -> list[dict[str, Any]]:
    """Return a container's mounts of the volumes.

    >>> mounts({"media": {"path": "/code/media", "size": "5Gi"}})
    [{'name': 'volume--media', 'mountPath': '/code/media'}]
    """
    return [{"name": _pod_name(name), "mountPath": volume["path"]} for name, volume in volumes.items()]


def security(user: int | str, volumes: Mapping[str, Volume]) -> dict[str, Any]:
    """Return the security context of a pod whose processes run as this user, and group after a colon, and can write to the volumes.

    Without a number they run as the image's user, as they do in a workload whose number somebody has removed.
    A volume is made writable for the group once, not each time a pod starts:
    https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#configure-volume-permission-and-ownership-change-policy-for-pods
    """
    found: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if user == "":
        return found
    number, _, other = str(user).partition(":")
    group = int(other or number)
    found |= {"runAsUser": int(number), "runAsGroup": group}
    return found | ({"fsGroup": group, "fsGroupChangePolicy": "OnRootMismatch"} if volumes else {})


def user(workload: Object) -> str:
    """Return the numeric user and group that a workload's pods run as, in the form that ``security`` takes; "" if it sets none."""
    context = dig(workload, "spec", "template", "spec", "securityContext") or {}
    return f"{context['runAsUser']}:{context.get('runAsGroup', context['runAsUser'])}" if "runAsUser" in context else ""


def pods(volumes: Mapping[str, Volume], app: str, there: Iterable[Object]) -> list[dict[str, str]]:
    """Return ``volume``, ``pod`` and ``path`` of each volume that a ready pod's web container mounts.

    Args:
        volumes: By name.
        app: The app's name.
        there: Live pods. The paths come from them, because the running release may have other paths than the inventory.
    """
    found = []
    for name in volumes:
        for pod in filter(_ready, there):
            of_claim = {each["name"] for each in dig(pod, "spec", "volumes") or [] if dig(each, "persistentVolumeClaim", "claimName") == claim_name(app, name)}
            web: dict[str, Any] = next((each for each in pod["spec"]["containers"] if each["name"] == "web"), {})
            if path := next((each["mountPath"] for each in web.get("volumeMounts") or [] if each["name"] in of_claim), ""):
                found.append({"volume": name, "pod": pod["metadata"]["name"], "path": path})
                break
    return found


def _ready(pod: Object) -> bool:
    return not dig(pod, "metadata", "deletionTimestamp") and (condition(pod, "Ready") or {}).get("status") == "True"


def with_backup(found: Iterable[Mapping[str, str]], backup: str) -> list[Mapping[str, str]]:
    """Return those of ``found`` (what ``pods`` returns) whose files are in a file next to a backup of the database."""
    return [each for each in found if Path(f"{backup}.{each['volume']}.tar").is_file()]


def in_the_way(path: str, homes: Iterable[str], sources: Iterable[Path]) -> str:
    """Return why a mount at a path would hide the app's code; empty if it would not.

    Args:
        path: The path in the container.
        homes: The directories with the code in the container.
        sources: The directories with the code on this machine.
    """
    for home in homes:
        if home == path or home.startswith(f"{path}/"):
            return f"{path} is where the app's code is in the image, and would hide it; choose a directory of its own, like {home}/media"
        inner = path.removeprefix(f"{home}/")
        if inner != path and any(next((source / inner).rglob("*.py"), None) for source in sources):
            return f"{path} has code of the app in the image ({inner} in its source), and would hide it; choose a directory of its own, like {home}/media"
    return ""


def claims(volumes: Mapping[str, Volume], app: str, labels: Mapping[str, str], there: Iterable[Object]) -> list[dict[str, Any]]:
    """Return a PersistentVolumeClaim for each volume.

    Args:
        volumes: By name.
        app: The app's name.
        labels: The labels of a claim.
        there: The cluster's storage classes, and the existing claims, whose access mode cannot be changed.
    """
    known = list(there)
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim_name(app, name), "labels": dict(labels)},
            "spec": {
                "accessModes": _modes(claim_name(app, name), volume, known),
                "resources": {"requests": {"storage": str(volume["size"])}},
                **({"storageClassName": volume["storage_class"]} if volume.get("storage_class") else {}),
            },
        }
        for name, volume in volumes.items()
    ]


def unshared(volumes: Mapping[str, Volume], app: str, there: Iterable[Object]) -> str:
    """Return why pods on several nodes could not use the volumes, and what to do; empty if they can, or if there is one node.

    Args:
        volumes: By name.
        app: The app's name.
        there: The cluster's nodes, storage classes and claims, as far as they may be read.
    """
    known = list(there)
    nodes = [each for each in known if each.get("kind") == "Node" and not dig(each, "spec", "unschedulable")]
    if len(nodes) < 2:
        return ""
    good = [each["metadata"]["name"] for each in known if each.get("kind") == "StorageClass" and each.get("provisioner") in SHARED]
    found = []
    for name, volume in volumes.items():
        claim = _claim(known, claim_name(app, name))
        if EVERY_NODE in _modes(claim_name(app, name), volume, known):
            continue
        storage_class = dig(claim or {}, "spec", "storageClassName") or volume.get("storage_class") or _default(known) or "the cluster's default"
        text = f"berth_app_volumes.{name}: the cluster has {len(nodes)} nodes, and the storage class {storage_class} has volumes for pods on one node only."
        if claim:
            way = f"A volume's storage class cannot be changed. Create a volume with another name and {_one_of(good)}, and copy the files."
        else:
            way = f"Set berth_app_volumes.{name}.storage_class to {_one_of(good)}; if {storage_class} can be shared after all, set shared: true."
        found.append(f"{text} {way}")
    return "\n".join(found)


def stranded(image: str, volumes: Mapping[str, Volume], app: str, there: Iterable[Object], where: str) -> str:
    """Return why the user of an image could not change the files on the volumes, and what to do; empty if it can.

    The kubelet gives files to a pod's group (``security``) only if a CSI driver mounts a file system for one node:
    https://kubernetes-csi.github.io/docs/support-fsgroup.html

    Args:
        image: The numeric user and group; "" if they are not known, or if the inventory names a user.
        volumes: By name.
        app: The app's name.
        there: The cluster's storage classes, and the existing claims and Deployments, as far as they may be read.
        where: Where to set ``berth_app_user``.
    """
    known = list(there)
    runs = next((each for each in known if each.get("kind") == "Deployment" and each["metadata"]["name"] == app), {})
    old, new = (numbers.partition(":")[0] for numbers in (user(runs), image))
    kept = [f"berth_app_volumes.{name}" for name in volumes if (made := _claim(known, claim_name(app, name))) and not _given_to_group(made, known)]
    if not (old and new and kept) or old == new:
        return ""
    return (
        f"{app} runs as user {old}, but its image names {new}. Files that {old} wrote to {' and '.join(kept)} still belong to {old} if a volume is a directory "
        f"on a node or on a file server, and {new} cannot change them. Set berth_app_user: {old} in {where} to keep the app running as before. "
        f"Or change the files' owner to {new} where they are stored, and then run site.yml once with -e berth_app_user={new}."
    )


def _given_to_group(claim: Object, there: list[Object]) -> bool:
    name = dig(claim, "spec", "storageClassName")
    drivers = [each.get("provisioner") or "" for each in there if each.get("kind") == "StorageClass" and each["metadata"]["name"] == name]
    return EVERY_NODE not in (dig(claim, "spec", "accessModes") or []) and any("csi." in driver for driver in drivers)


def _one_of(classes: list[str]) -> str:
    return (
        f"a class that can be shared ({', '.join(classes)})"
        if classes
        else f"a class that can be shared; the cluster has none that Berth knows, such as {ELSEWHERE}"
    )


def _claim(there: Iterable[Object], name: str) -> Object | None:
    return next((each for each in there if each.get("kind") == "PersistentVolumeClaim" and each["metadata"]["name"] == name), None)


def _default(there: Iterable[Object]) -> str:
    classes = [each for each in there if each.get("kind") == "StorageClass"]
    return next((each["metadata"]["name"] for each in classes if (each["metadata"].get("annotations") or {}).get(DEFAULT) == "true"), "")


def _modes(claim: str, volume: Volume, there: list[Object]) -> list[str]:
    """Return the access modes of a claim: those that it has, or else those that its class supports."""
    if live := _claim(there, claim):
        return list(dig(live, "spec", "accessModes") or [ONE_NODE])
    if "shared" in volume:
        return [EVERY_NODE if check_type_bool(volume["shared"]) else ONE_NODE]
    name = volume.get("storage_class") or _default(there)
    provisioners = [each.get("provisioner") for each in there if each.get("kind") == "StorageClass" and each["metadata"]["name"] == name]
    return [EVERY_NODE if provisioners and provisioners[0] in SHARED else ONE_NODE]
