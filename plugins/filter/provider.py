"""What is true of a provider."""

from __future__ import annotations

from typing import Any

from ..module_utils import providers

DOCUMENTATION = """
name: provider_property
short_description: A property of a provider
description:
  - By the table of plugins/module_utils/providers.py. Of C(auto), and of any other name that is no provider's, nothing particular is true.
options:
  _input: {description: "A provider's name, such as C(berth_provider) or C(cluster_facts.provider).", type: str, required: true}
  name: {description: The property's name., type: str, required: true}
"""


def provider_property(provider: Any, name: str) -> bool | str:
    """Return a property of a provider.

    >>> provider_property("eks", "costs"), provider_property("auto", "costs"), provider_property("minikube", "registry")
    (True, False, 'minikube')
    """
    return getattr(providers.of(provider), name)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"provider_property": provider_property}
