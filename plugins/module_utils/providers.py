"""The properties of each provider of clusters, in one table: playbooks and roles read it through the filter ``provider_property``.

What a provider does is elsewhere: in its role and, for each step of a run, in playbooks/providers/<provider>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provider:
    """A provider.

    Attributes:
        registry: Where images go unless the inventory says otherwise, as in ``berth_registry``.
        image_import: How an image of Berth's own gets into its nodes, "" if they pull it: roles/cluster has ``images_<image_import>.yml``.
        elsewhere: Whether its clusters are not on this machine. Then environments share nothing here except caches, which have their own locks,
            nobody here can stop or start the cluster, and it may get more nodes.
        machine: Whether its node is this machine itself: the environments of the machine share one cluster, and node ports are the machine's own.
        borrowed: Whether somebody else makes and runs its clusters.
        certificates: Whether the certificates for accessing it expire so soon that somebody has to be warned.
        protects: Whether its resources may have deletion protection: it has ``protected.yml``.
        settles: Whether it makes things that an app does not need and a release does not wait for: it has ``settle.yml``.
        aws: Whether it is in AWS, so that permissions are checked there and a volume belongs to one node.
        costs: Whether Berth can say what it costs (plugin_utils/inventory/cost.py).
        entry: Whether it can provide a public entry.
        enforces_policies: Whether Berth builds its clusters from parts that enforce NetworkPolicies, so that one that does not is broken.
        production: Whether its environments have visitors, whatever their names.
        upgrades: Whether playbooks/ops/upgrade.yml upgrades its clusters to another Kubernetes version.
    """

    registry: str
    image_import: str = ""
    elsewhere: bool = False
    machine: bool = False
    borrowed: bool = False
    certificates: bool = False
    protects: bool = False
    settles: bool = False
    aws: bool = False
    costs: bool = False
    entry: bool = False
    enforces_policies: bool = False
    production: bool = False
    upgrades: bool = False


PROVIDERS = {
    "kubeadm": Provider(registry="loopback", image_import="containerd", machine=True, certificates=True),
    "minikube": Provider(registry="minikube", image_import="minikube", protects=True),
    "existing": Provider(registry="loopback", elsewhere=True, borrowed=True, certificates=True),
    "eks": Provider(
        registry="ecr",
        elsewhere=True,
        protects=True,
        settles=True,
        aws=True,
        costs=True,
        entry=True,
        enforces_policies=True,
        production=True,
        upgrades=True,
    ),
}
UNKNOWN = Provider(registry="loopback")
"""The defaults while the provider is not known, such as with ``auto``."""


def of(name: Any) -> Provider:
    """Return a provider by its name, :data:`UNKNOWN` for anything else that an inventory may contain.

    >>> of("kubeadm").machine, of("auto").machine, of(["eks"]).aws
    (True, False, False)
    """
    return PROVIDERS.get(name, UNKNOWN) if isinstance(name, str) else UNKNOWN
