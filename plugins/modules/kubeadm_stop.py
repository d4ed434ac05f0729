"""Stop this machine's kubeadm cluster, to start it again later."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_stop
short_description: Stop the cluster that Berth created on this machine, without removing anything
description:
  - Stops the kubelet, then the containers, then containerd, and undoes their mounts. Removes nothing; the role's C(main) starts it again.
  - A stopped cluster stays stopped after a reboot. Without systemd, a running one does not start after a reboot either.
  - Can be run again after an interruption.
options:
  grace: {description: Seconds for containers to exit by themselves., type: int, default: 30}
attributes:
  check_mode: {support: full, description: Says whether there is something to stop.}
  diff_mode: {support: none, description: Nothing to show.}
"""

EXAMPLES = """
- name: Stop the cluster
  berth.platform.kubeadm_stop:
"""

RETURN = """
stopped: {description: "What was stopped, as phrases.", type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import kubeadm as cluster
from ..module_utils.machine.service import ServiceError, backend


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"grace": {"type": "int", "default": 30}}, supports_check_mode=True)
    stopped: list[str] = []
    runs = any(backend().running(name) for name in cluster.SERVICES) or bool(cluster.shims())
    if cluster.record() is not None and runs:
        try:
            stopped = ["(check mode) the cluster"] if module.check_mode else cluster.stop(module.params["grace"])
        except (ServiceError, OSError) as error:
            module.fail_json(msg=f"The cluster is not stopped whole: {error}. Run the same command again.")
    module.exit_json(changed=bool(stopped), stopped=stopped)


if __name__ == "__main__":
    main()
