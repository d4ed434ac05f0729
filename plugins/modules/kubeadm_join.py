"""Record that an environment uses this machine's cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_join
short_description: Record that an environment uses this machine's cluster
description:
  - The cluster exists, and runs of other environments may record themselves at the same time. Each adds its name to the current record.
options:
  environment: {description: The environment., type: str, required: true}
attributes:
  check_mode: {support: full, description: Says whether it is recorded.}
"""

EXAMPLES = """
- name: Record that the environment uses the cluster
  berth.platform.kubeadm_join:
    environment: dev
"""

RETURN = """
environments: {description: The environments that use the cluster., type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import kubeadm as cluster


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"environment": {"type": "str", "required": True}}, supports_check_mode=True)
    environment = module.params["environment"]
    before = (cluster.record() or {}).get("environments", [])
    if environment in before or module.check_mode:
        module.exit_json(changed=environment not in before, environments=sorted({*before, environment}))
    try:
        after = cluster.change_environments(lambda known: known | {environment})
    except OSError as error:
        module.fail_json(msg=f"{cluster.RECORD} cannot be written: {error.strerror}.")
    module.exit_json(changed=True, environments=after)


if __name__ == "__main__":
    main()
