"""Properties of providers."""

from __future__ import annotations

from typing import Any

from ..module_utils import providers

DOCUMENTATION = """
name: provider_property
short_description: A property of a provider
description:
  - Looks it up in plugins/module_utils/providers.py. C(auto), like any other name that is not a provider's, has no special properties.
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
