"""What provides the environment's cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.lookup import LookupBase
from ansible.template import trust_as_template

from ..module_utils.providers import PROVIDERS
from ..plugin_utils.inventory.locate import Inventory
from ..plugin_utils.provider import decide

DOCUMENTATION = """
name: provider
short_description: What provides the environment's cluster
description:
  - Resolves C(berth_provider). C(auto) is the provider of the environment's existing cluster, or the first one that works here.
  - Takes no terms, and reads C(berth_provider), C(berth_kubeconfig), C(minikube_driver) and C(minikube_force).
"""

EXAMPLES = """
- name: Look the cluster up
  ansible.builtin.include_tasks: ../providers/{{ lookup('berth.platform.provider') }}/facts.yml
"""

RETURN = """
_raw: {description: The provider's name, type: list, elements: str}
"""

DECISIVE = trust_as_template("{{ [berth_provider | default('auto'), berth_kubeconfig, minikube_driver | default(''), minikube_force | default(false)] }}")


def provider(wanted: Any, kubeconfig: str, driver: str | None = "", force: Any = False) -> str:
    """Return the provider.

    Args:
        wanted: ``berth_provider``.
        kubeconfig: The environment's own.
        driver: ``minikube_driver``, which must be usable here.
        force: ``minikube_force``, which allows minikube for root.
    """
    return decide(str(wanted), kubeconfig, driver or "", boolean(force or False, strict=False))[0]


class LookupModule(LookupBase):
    """The lookup plugin."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the environment's provider, and refuse an unknown one, because preflight does not run before every runbook."""
        found = provider(*self._templar.template(DECISIVE))
        if found not in PROVIDERS:
            where = Inventory.of(variables or {}, self._loader, Path(__file__).resolve().parents[2]).where_set("berth_provider")
            *others, last = ["auto", *PROVIDERS]
            raise AnsibleError(f"berth_provider in {where} is {found}, which is not a provider. Set it to {', '.join(others)} or {last}.")
        return [found]
