"""The state of a minikube profile: the Ansible module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: minikube_info
short_description: Read the state of a minikube profile
description:
  - Changes nothing. A home without the profile is not touched at all, and needs no minikube program.
options:
  binary: {description: The minikube program., type: path, required: true}
  home: {description: MINIKUBE_HOME., type: path, default: ~/.cache/berth/minikube}
  profile: {description: The profile., type: str, required: true}
  kubeconfig: {description: The kubeconfig that minikube writes., type: path, required: true}
  services: {description: "Whether to look up RV(services), which takes another call.", type: bool, default: false}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = r"""
- name: Read the cluster's state
  berth.platform.minikube_info:
    binary: /usr/local/bin/minikube
    profile: dev
    kubeconfig: .cache/dev/kubeconfig
  register: found
"""

RETURN = r"""
state:
  description:
    - C(absent), nothing is there; C(foreign), a profile that Berth did not make, or made for another O(kubeconfig); C(lost), somebody removed its
      container or virtual machine; C(partial), a start was interrupted; C(stopped); C(paused); C(unready), made but not completely running;
      C(running).
  type: str
  returned: always
reason: {description: "Why it is C(foreign), C(lost), C(partial) or C(unready).", type: str, returned: always}
version: {description: "The Kubernetes version, empty if there is no cluster.", type: str, returned: always}
driver: {description: The driver that the cluster was made with., type: str, returned: always}
container_runtime: {description: The container runtime that the cluster was made with., type: str, returned: always}
ip: {description: "The node's address, empty if it does not run.", type: str, returned: always}
endpoint: {description: "The API server's address in the kubeconfig, empty if there is none.", type: str, returned: always}
addons: {description: The enabled addons., type: list, elements: str, returned: always}
services:
  description: The services with an address outside the cluster, each with C(namespace), C(name) and C(urls).
  type: list
  elements: dict
  returned: when O(services) is set
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.minikube import MinikubeError, Observed, Wanted, enabled_addons
from ..module_utils.machine.minikube_calls import PROFILE_OPTIONS, Minikube


def facts(minikube: Minikube, observed: Observed, services: bool) -> dict[str, Any]:
    """Return the module's result."""
    running = observed.state == "running"
    asked = observed.config and minikube.binary.exists()
    found = {
        "state": observed.state,
        "reason": observed.reason,
        "version": observed.kubernetes_version,
        "driver": observed.config.get("Driver", ""),
        "container_runtime": observed.config.get("KubernetesConfig", {}).get("ContainerRuntime", ""),
        "ip": minikube.read("ip").stdout.strip() if running else "",
        "endpoint": minikube.endpoint() if running else "",
        "addons": sorted(enabled_addons(minikube.answer("addons", "list", "--output=json"))) if asked else [],
    }
    if services:
        listed = minikube.answer("service", "list", "--output=json") if running else []
        found["services"] = [{"namespace": item["Namespace"], "name": item["Name"], "urls": item["URLs"]} for item in listed if item.get("URLs")]
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PROFILE_OPTIONS,
            "kubeconfig": {"type": "path", "required": True},
            "services": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    minikube = Minikube.of(options)
    try:
        # As for a cluster that has to be stopped: skip everything that only a start needs to know.
        observed = minikube.observe(Wanted(options["profile"], state="stopped"))
        module.exit_json(changed=False, **facts(minikube, observed, options["services"]))
    except MinikubeError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
