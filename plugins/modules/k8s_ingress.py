"""Wait for an Ingress's load balancer, or remove both."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_ingress
short_description: Wait for an Ingress's load balancer, or remove both
description:
  - Waits until an Ingress's controller has given it an address. If the controller cannot, the message contains its reason.
  - Removes an Ingress with its class and the class's parameters, which have the same name, and waits until the controller has released the Ingress.
    AWS's controller does so after its load balancer is gone.
  - Leaves objects without Berth's labels alone.
options:
  kubeconfig: {description: Path of the kubeconfig., type: path, required: true}
  namespace: {description: The Ingress's namespace., type: str, required: true}
  name: {description: "The Ingress's name, which is the app's name.", type: str, required: true}
  state:
    description: Whether the Ingress exists. V(present) changes nothing.
    type: str
    choices: [present, absent]
    default: present
  api: {description: "An API that the cluster must serve, as C(group/version).", type: str, default: ""}
  wait: {description: "Whether to wait for the address, or until everything is gone.", type: bool, default: true}
  wait_timeout: {description: Seconds to wait., type: int, default: 600}
  patience: {description: "Seconds before a warning of the controller counts as a failure, because some resolve by themselves.", type: int, default: 120}
requirements: [kubernetes]
attributes:
  check_mode: {support: full, description: "Says what would be removed, without waiting."}
  diff_mode: {support: full, description: Shows what is removed.}
"""

EXAMPLES = """
- name: Wait for the load balancer's address
  berth.platform.k8s_ingress:
    kubeconfig: .cache/prod/kubeconfig
    namespace: polls
    name: polls
  register: ingress
"""

RETURN = """
exists: {description: Whether the Ingress exists., type: bool, returned: always}
ours: {description: Whether it has Berth's labels., type: bool, returned: always}
address: {description: "The address of its load balancer; empty if there is none.", type: str, returned: always}
host: {description: "The Ingress's host name; empty if it has none.", type: str, returned: always}
annotations: {description: Its annotations., type: dict, returned: always}
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client, entry
from ..module_utils.kube.client import Cluster, Forbidden, KubeError, NotFound, Unreachable
from ..module_utils.progress import report

OWNER = {"app.kubernetes.io/managed-by": "berth"}
INSTANCE = "app.kubernetes.io/instance"
PAUSE = 2.0  # seconds between two polls
ABSENT: dict[str, Any] = {"exists": False, "ours": False, "address": "", "host": "", "annotations": {}}


class Refused(Exception):
    """Something cannot be done or has failed; the text is for the user."""


class Ingress:
    """One Ingress with its class and parameters."""

    def __init__(self, module: AnsibleModule) -> None:
        self.options: dict[str, Any] = module.params
        self.check: bool = module.check_mode
        self.namespace, self.name = module.params["namespace"], module.params["name"]
        self.cluster = Cluster(module.params["kubeconfig"], None)
        self.end = time.monotonic() + module.params["wait_timeout"]

    def serves(self) -> None:
        """Check that the cluster serves the required API.

        Raises:
            Refused: It does not.
        """
        api = self.options["api"]
        if api and self.cluster.ask(f"/apis/{api}")[0] == 404:
            raise Refused(
                f"The cluster does not serve {api}, which is part of EKS Auto Mode: its load balancing is off. "
                "Set berth_eks_compute: auto and run site.yml --tags cluster."
            )

    def find(self, kind: str = "Ingress") -> dict[str, Any] | None:
        """Return the Ingress, or another kind of object with its name; None if there is none."""
        try:
            return self.cluster.get(kind, self.namespace, self.name)
        except NotFound:
            return None

    def ours(self, found: dict[str, Any]) -> bool:
        """Whether an object has Berth's labels."""
        return (OWNER | {INSTANCE: self.name}).items() <= (found["metadata"].get("labels") or {}).items()

    def described(self, found: dict[str, Any] | None) -> dict[str, Any]:
        """Return the module's result for an Ingress."""
        if not found:
            return dict(ABSENT)
        return {
            "exists": True,
            "ours": self.ours(found),
            "address": entry.address(found),
            "host": entry.host(found),
            "annotations": found["metadata"].get("annotations") or {},
        }

    def warning(self) -> str:
        """Return the controller's latest event for the Ingress, if it is a warning."""
        try:
            events = self.cluster.items("Event", self.namespace, fieldSelector=f"involvedObject.kind=Ingress,involvedObject.name={self.name}")
        except Forbidden:
            return ""
        return entry.warning(events)

    def addressed(self) -> dict[str, Any]:
        """Wait for the address, and return the module's result.

        Raises:
            Refused: There is no address, with the controller's reason.
        """
        told, since = "", time.monotonic()
        while True:
            found = self.find()
            if found is None:
                raise Refused(f"There is no Ingress {self.name} in the namespace {self.namespace}. Run site.yml --tags app.")
            answer = self.described(found)
            if answer["address"]:
                return answer
            said, now = self.warning(), time.monotonic()
            if bool(said) != bool(told):
                since = now
            if said != told:
                told = said
                report(f"Ingress {self.name}: {said or 'no address yet'}")
            if said and now - since >= self.options["patience"]:
                raise Refused(f"The load balancer of Ingress {self.name} cannot be created. {said}. {entry.advice(said)}")
            if now >= self.end:
                why = f"{said}. {entry.advice(said)}" if said else entry.SILENT
                raise Refused(f"Ingress {self.name} has no address after {self.options['wait_timeout']} s. {why}")
            time.sleep(PAUSE)

    def removed(self) -> list[str]:
        """Remove the Ingress, its class and the class's parameters; return what was, or would be, removed.

        Raises:
            Refused: The controller does not release the Ingress.
        """
        gone = []
        # The class links the Ingress to its controller, so it is removed after the Ingress.
        for kind in ("Ingress", "IngressClass", "IngressClassParams"):
            found = self.find(kind)
            if not found or not self.ours(found):
                continue
            gone.append(f"{kind} {self.name}")
            if self.check:
                continue
            self.cluster.delete(kind, self.namespace, self.name, found["metadata"]["uid"], "Background")
            while self.options["wait"] and (left := self.find(kind)) and left["metadata"]["uid"] == found["metadata"]["uid"]:
                if time.monotonic() >= self.end:
                    waits = ", ".join(left["metadata"].get("finalizers") or []) or "nothing"
                    said = self.warning() if kind == "Ingress" else ""
                    raise Refused(
                        f"{kind} {self.name} is still there after {self.options['wait_timeout']} s; it waits for {waits}. "
                        + (f"{said}. {entry.advice(said)}" if said else "Its controller reports nothing; run the same command again to keep waiting.")
                    )
                time.sleep(PAUSE)
        return gone


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "api": {"type": "str", "default": ""},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 600},
            "patience": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    if module.check_mode and not Path(module.params["kubeconfig"]).exists():
        module.exit_json(changed=False, **ABSENT)
    try:
        ingress = Ingress(module)
        if module.params["state"] == "absent":
            gone = ingress.removed()
            diff = {"before": "".join(f"{each}\n" for each in gone), "after": ""}
            module.exit_json(changed=bool(gone), diff=diff, **ABSENT)
        ingress.serves()
        waits = module.params["wait"] and not module.check_mode
        module.exit_json(changed=False, **(ingress.addressed() if waits else ingress.described(ingress.find())))
    except Unreachable as error:
        if module.check_mode:
            module.exit_json(changed=False, **ABSENT)
        message = str(error)
    except (Refused, KubeError) as error:
        message = str(error)
    module.fail_json(msg=message)


if __name__ == "__main__":
    main()
