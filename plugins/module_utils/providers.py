"""What is true of each provider of clusters, in one table: playbooks and roles read it through the filter ``provider_property``.

What a provider does is elsewhere: in its role, and for each step of a run in playbooks/providers/<provider>.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provider:
    """A provider.

    Attributes:
        registry: Where images go unless the inventory says otherwise, as ``berth_registry`` has it.
        image_import: How an image of Berth's own gets into its nodes, "" where they pull it: roles/cluster has ``images_<image_import>.yml``.
        elsewhere: Whether its clusters are not this machine's: an environment shares nothing of this machine but its caches, which have locks of
            their own, nobody here can stop or start the cluster, and it may have more nodes tomorrow.
        machine: Whether its node is this machine itself: the environments of the machine share one cluster, and node ports are the machine's own.
        borrowed: Whether somebody else makes and runs its clusters.
        certificates: Whether certificates by which it is reached end so soon that somebody has to be told.
        protects: Whether what it makes may be protected from deletion: it has ``protected.yml``.
        settles: Whether it makes what an app does not need and nobody waits for before the release: it has ``settle.yml``.
        aws: Whether it is in AWS, which is asked for permissions, and where a volume is of one node.
        costs: Whether Berth can say what it costs (plugin_utils/inventory/cost.py).
        entry: Whether it has what makes a public entry.
        enforces_policies: Whether Berth makes its clusters of parts that enforce NetworkPolicies, so that one that does not is broken.
        production: Whether its environments have visitors, whatever they are called.
        upgrades: Whether its clusters go to another version of Kubernetes by playbooks/ops/upgrade.yml.
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
"""What holds as long as nobody knows better, as with ``auto``."""


def of(name: Any) -> Provider:
    """Return a provider by its name, :data:`UNKNOWN` for anything else that an inventory may have there.

    >>> of("kubeadm").machine, of("auto").machine, of(["eks"]).aws
    (True, False, False)
    """
    return PROVIDERS.get(name, UNKNOWN) if isinstance(name, str) else UNKNOWN
