"""What provides an environment's cluster."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ..plugin_utils import provider as providers

DOCUMENTATION = """
name: provider
short_description: What provides an environment's cluster
description:
  - Turns C(berth_provider) into the provider, which for C(auto) is the one that the environment lives in, or the first that works here.
options:
  _input: {description: C(berth_provider)., type: str, required: true}
  kubeconfig: {description: The environment's own kubeconfig., type: path, required: true}
  driver: {description: "C(minikube_driver), which minikube has to be able to drive here.", type: str, default: ""}
  force: {description: "C(minikube_force), with which minikube drives for root.", type: bool, default: false}
"""


def provider(wanted: str, kubeconfig: str, driver: str = "", force: Any = False) -> str:
    """Return the provider; ``wanted`` is ``berth_provider``, ``kubeconfig`` the environment's own."""
    return providers.decide(wanted, kubeconfig, driver or "", boolean(force or False, strict=False))[0]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"provider": provider}
