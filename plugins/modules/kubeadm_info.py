"""Read the state of this machine's kubeadm cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_info
short_description: Read the state of this machine's kubeadm cluster
description:
  - Reads everything that the role bases its decisions on. Changes nothing.
options:
  address: {description: "Host and port of the API server.", type: str, required: true}
  addons:
    description: The cluster's own workloads, as C(deployments/namespace/name) or C(daemonsets/namespace/name).
    type: list
    elements: str
    default: []
  inputs: {description: "A checksum of the settings that can be applied to a running cluster, compared with the applied one.", type: str, default: ""}
  kubeconfig: {description: "The environment's kubeconfig, compared with the cluster's.", type: path, required: true}
  renew_days: {description: Days before expiry when certificates should be renewed., type: int, default: 60}
  packages: {description: Debian packages that the cluster needs., type: list, elements: str, default: []}
  settings: {description: "The settings that cannot be changed after creation, compared with those that the cluster was created with.", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Read the cluster's state
  berth.platform.kubeadm_info:
    address: 10.245.0.1:6443
    kubeconfig: .cache/dev/kubeconfig
  register: __kubeadm
"""

RETURN = """
state:
  description:
    - C(absent), there is no cluster; C(foreign), a cluster that Berth did not create; C(partial), a creation or removal was interrupted;
      C(stopped), created but not running; C(unready), created but not fully running; C(running).
  type: str
  returned: always
reason: {description: The reason for any state except C(absent) and C(running)., type: str, returned: always}
lasting: {description: "The parts of the reason for C(unready) that neither pass by themselves nor are an update.", type: list, elements: str, returned: always}
missing: {description: "Those of O(addons) that do not exist, such as C(deployment kube-system/coredns).", type: list, elements: str, returned: always}
outdated:
  description:
    - Pods and workloads that are ready according to the API server, but not on this machine, as C(namespace/name). None if it does not answer.
  type: list
  elements: str
  returned: always
certificates:
  description: "The certificates of the cluster on this machine, each with C(name), C(kind), C(path), C(ends) (RFC 3339) and C(seconds) until then."
  type: list
  elements: dict
  returned: always
renewal: {description: "Why certificates should be renewed, a phrase each.", type: list, elements: str, returned: always}
environments: {description: The environments that use the cluster., type: list, elements: str, returned: always}
changed_settings: {description: "Settings that differ from those the cluster was made with, each with C(was) and C(wanted).", type: dict, returned: always}
kubeconfig_foreign: {description: Whether the kubeconfig points to another cluster., type: bool, returned: always}
missing_packages: {description: Packages that are not installed., type: list, elements: str, returned: always}
manager: {description: "C(systemd) or C(runit).", type: str, returned: always}
cgroup_version: {description: 1 or 2., type: int, returned: always}
sys_resource: {description: Whether processes may raise their limits., type: bool, returned: always}
"""

import base64
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import certificates
from ..module_utils.machine import kubeadm as cluster
from ..module_utils.machine.network import resolv_conf
from ..module_utils.machine.service import backend, manager

OUTDATED = "are to be brought up to date"

Parts = list[tuple[str, str]]
"""Parts of the cluster, each with what is wrong with it."""


def state(unready: Parts, inputs: str) -> tuple[str, Parts]:
    """Return the state and the reason for it.

    Args:
        unready: What is not ready in the running cluster.
        inputs: As in the documentation.
    """
    record = cluster.record()
    if record is None:
        foreign = [str(path) for path in cluster.FOREIGN if cluster.there(path)]
        return ("foreign", [(", ".join(foreign), "is there and Berth did not make it")]) if foreign else ("absent", [])
    if not cluster.INITIALIZED.exists():
        return "partial", [("an earlier run", "was cut off")]
    stopped = [name for name in cluster.SERVICES if not backend().running(name)]
    if stopped:
        return "stopped" if len(stopped) == len(cluster.SERVICES) else "unready", [(" and ".join(stopped), "not running")]
    forgotten = [name for name in cluster.SERVICES if not backend().at_boot(name)]
    if forgotten:
        return "unready", [(" and ".join(forgotten), "would not start at the next boot")]
    outdated = [("programs, images or files of the node", OUTDATED)] if inputs and record.get("inputs") != inputs else []
    parts = unready or outdated
    return "unready" if parts else "running", parts


def renewal(found: list[dict[str, Any]], days: int) -> list[str]:
    """Return why certificates should be renewed, as phrases; empty if there is no need."""
    ends = [f"{each['path']} {'ended' if each['seconds'] < 0 else 'ends'} {each['ends']}" for each in certificates.ending(found, days)]
    return ends + (["an earlier renewal was cut off"] if cluster.renewing() else [])


def authority(kubeconfig: Path) -> bytes | None:
    """Return the certificate authority that a kubeconfig made by kubeadm trusts, None for any other file."""
    try:
        found = re.search(r"certificate-authority-data: (\S+)", kubeconfig.read_text(encoding="utf-8"))
        return base64.b64decode(found.group(1)) if found else None
    except (OSError, ValueError):
        return None


def foreign(kubeconfig: Path) -> bool:
    """Whether the environment's kubeconfig points to a cluster that is neither this one nor an earlier one that Berth created on this machine."""
    if not kubeconfig.exists() or cluster.ours(kubeconfig.read_text(encoding="utf-8")):
        return False
    return cluster.record() is None or not cluster.ADMIN.exists() or authority(kubeconfig) != authority(cluster.ADMIN)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "addons": {"type": "list", "elements": "str", "default": []},
            "inputs": {"type": "str", "default": ""},
            "kubeconfig": {"type": "path", "required": True},
            "renew_days": {"type": "int", "default": 60},
            "packages": {"type": "list", "elements": "str", "default": []},
            "settings": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    wanted: dict[str, Any] = module.params["settings"]
    address, addons = module.params["address"], module.params["addons"]
    outdated = cluster.outdated(address)
    unready = cluster.unready(address, addons) if cluster.INITIALIZED.exists() else []
    own = {addon.split("/")[1] for addon in addons}  # an app's pod may just have crashed
    unready += [(name, cluster.STALE) for name in outdated or [] if name.split("/")[0] in own]
    found, parts = state(unready, module.params["inputs"])
    record = cluster.record() or {}
    was = record.get("settings", wanted)
    packages = module.params["packages"]
    dated = certificates.of_machine(cluster.KUBERNETES, cluster.KUBELET) if cluster.INITIALIZED.exists() else []
    module.exit_json(
        changed=False,
        state=found,
        reason="; ".join(map(" ".join, parts)),
        lasting=[f"{what} {why}" for what, why in parts if found == "unready" and why not in (*cluster.PASSING, OUTDATED)],
        missing=[what for what, why in unready if why == cluster.MISSING],
        outdated=outdated,
        certificates=dated,
        renewal=renewal(dated, module.params["renew_days"]),
        environments=record.get("environments", []),
        changed_settings={k: {"was": was.get(k), "wanted": v} for k, v in wanted.items() if was.get(k) != v},
        missing_packages=sorted(set(packages) - cluster.installed(packages)) if packages else [],
        manager=manager(),
        cgroup_version=cluster.cgroup_version(),
        sys_resource=cluster.has_sys_resource(),
        resolv_conf=str(resolv_conf()),
        kubeconfig_foreign=foreign(Path(module.params["kubeconfig"])),
    )


if __name__ == "__main__":
    main()
