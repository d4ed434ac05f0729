"""What provides the environment's cluster, and its database."""

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
short_description: What provides the environment's cluster, or its database
description:
  - Resolves C(berth_provider). C(auto) is the provider of the environment's existing cluster, or the first one that works here.
  - Reads C(berth_provider), C(berth_kubeconfig), C(minikube_driver) and C(minikube_force).
options:
  _terms:
    description: C(database) for what provides the database, which C(berth_database) chooses. Without a term it is the cluster.
    type: list
    elements: str
"""

EXAMPLES = """
- name: Look the cluster up
  ansible.builtin.include_tasks: ../providers/{{ lookup('berth.platform.provider') }}/facts.yml
"""

RETURN = """
_raw: {description: The provider's name, type: list, elements: str}
"""

DATABASE = trust_as_template("{{ berth_database | default('cluster') }}")
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
        if terms == ["database"]:
            return [self._templar.template(DATABASE)]
        found = provider(*self._templar.template(DECISIVE))
        if found not in PROVIDERS:
            where = Inventory.of(variables or {}, self._loader, Path(__file__).resolve().parents[2]).where_set("berth_provider")
            *others, last = ["auto", *PROVIDERS]
            raise AnsibleError(f"berth_provider in {where} is {found}, which is not a provider. Set it to {', '.join(others)} or {last}.")
        return [found]
