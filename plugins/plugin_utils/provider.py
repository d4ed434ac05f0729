"""Decide what provides an environment's cluster."""

from __future__ import annotations

import functools
import os

from ..module_utils.kube import identity
from ..module_utils.machine import minikube


@functools.cache
def decide(wanted: str, kubeconfig: str, driver: str = "", force: bool = False) -> tuple[str, str]:
    """Return the provider that ``berth_provider`` (``wanted``) stands for, and the reason for it as a phrase, "" if it was named.

    ``auto`` keeps what the environment already runs in (identity): an engine that is started later does not move it. A place
    that is only claimed is not a cluster yet: the run with another provider may have been refused.
    Root gets kubeadm, because minikube refuses every driver except ``none`` to root, unless it is forced; ``driver`` and ``force`` are
    ``minikube_driver`` and ``minikube_force``.
    """
    if wanted != "auto":
        return wanted, ""
    record = identity.read(kubeconfig)
    if record.get("provider") and str(identity.identity(record)):
        return record["provider"], "the environment lives there already"
    if os.geteuid() == 0 and driver != "none" and not force:
        return "kubeadm", ""
    found, why = minikube.drivable(driver, force)
    return ("minikube", why) if found else ("kubeadm", "")
