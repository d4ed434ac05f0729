"""Decide what provides an environment's cluster."""

from __future__ import annotations

import functools
import os

from ..module_utils.kube import identity
from ..module_utils.machine import minikube


@functools.cache
def decide(wanted: str, kubeconfig: str, driver: str = "", force: bool = False) -> tuple[str, str]:
    """Return the provider that ``berth_provider`` (``wanted``) comes to, and the reason for it as a phrase, "" where it was named.

    ``auto`` stays with what the environment lives in already (identity): an engine that is started later does not move it. A place
    that is only claimed is no cluster yet: the run with another provider may have been refused.
    Root gets kubeadm, for minikube refuses root every driver but ``none``, unless it is forced; ``driver`` and ``force`` are
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
