"""A public site beside the emulated AWS: a hosted zone, what makes load balancers of Ingresses, and what answers in their place."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import emulated

HERE = Path(__file__).parent
HOSTS = Path("/etc/hosts")


@dataclass(frozen=True)
class Site:
    """A site that visitors reach by its name.

    Attributes:
        host: Its name, as in berth_entry_host.
        zone: The hosted zone that the name is in.
        address: The loopback address at which something answers in the load balancer's place.
        upstream: Where that takes its answers from.
    """

    host: str
    zone: str
    address: str
    upstream: str

    @property
    def record(self) -> str:
        """The line of /etc/hosts that stands for the name's record."""
        return f"{self.address} {self.host} # emulated AWS"


def start(instance: emulated.Instance, site: Site, kubeconfig: Path, cluster: str, directory: Path) -> None:
    """Serve a site, whose certificate's authority is written to ``directory``/authority.pem.

    Args:
        instance: The emulated AWS, which runs.
        site: The site.
        kubeconfig: Of the administrator of the cluster whose Ingresses get load balancers.
        cluster: What that cluster is called in AWS.
        directory: Where the certificate is kept.
    """
    environment = os.environ | dict(line.split("=", 1) for line in instance.env.read_text(encoding="utf-8").splitlines())
    who = {name.lower(): environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    route53 = boto3.client("route53", region_name=emulated.REGION, endpoint_url=environment["AWS_ENDPOINT_URL_ROUTE_53"], **who)
    if not route53.list_hosted_zones()["HostedZones"]:
        route53.create_hosted_zone(Name=site.zone, CallerReference=site.zone)
    controller = [sys.executable, str(HERE / "ingress_controller.py"), "--kubeconfig", str(kubeconfig), "--cluster", cluster]
    emulated.launch(instance, "ingress_controller", controller, environment)
    front = [sys.executable, str(HERE / "front.py"), "--host", site.host, "--listen", site.address, "--upstream", site.upstream]
    emulated.launch(instance, "front", [*front, "--directory", str(directory)], environment)
    known = HOSTS.read_text(encoding="utf-8")
    if site.record not in known:
        HOSTS.write_text(f"{known.rstrip()}\n{site.record}\n", encoding="utf-8")


def forget(site: Site) -> None:
    """Take the name's record away; what serves ends with the emulated AWS."""
    known = HOSTS.read_text(encoding="utf-8")
    if site.record in known:
        HOSTS.write_text(known.replace(f"{site.record}\n", ""), encoding="utf-8")
