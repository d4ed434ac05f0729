"""Decide what provides an environment's cluster."""

from __future__ import annotations

import functools
import os

from ansible.module_utils import berth_identity, berth_minikube


@functools.cache
def decide(wanted: str, kubeconfig: str) -> tuple[str, str]:
    """Return the provider that ``berth_provider`` (``wanted``) comes to, and the reason for it as a phrase, "" where it was named.

    ``auto`` stays with what the environment lives in already (berth_identity): an engine that is started later does not move it.
    Root gets kubeadm: minikube refuses most drivers to root.
    """
    if wanted != "auto":
        return wanted, ""
    if known := berth_identity.read(kubeconfig).get("provider"):
        return known, "the environment lives there already"
    if os.geteuid() == 0:
        return "kubeadm", ""
    driver, why = berth_minikube.drivable()
    return ("minikube", why) if driver else ("kubeadm", "")
