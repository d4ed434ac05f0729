"""Take this machine's kubeadm cluster away."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_remove
short_description: Remove the cluster that Berth made on this machine, and only it
description:
  - Removes its processes, containers, mounts, interfaces, packet filter rules and files, and says which. Refuses where Berth made no cluster.
  - Can be run again after it was cut off. Packages that were installed stay.
options:
  purge: {description: "Remove the volumes too, and so the data of databases in the cluster.", type: bool, default: false}
attributes:
  check_mode: {support: full, description: Says whether there is something to remove.}
"""

EXAMPLES = """
- name: Remove the cluster, keep its volumes
  kubeadm_remove:
"""

RETURN = """
removed: {description: "What was removed, as phrases.", type: list, elements: str, returned: always}
kept: {description: "Where the volumes are that were kept, empty when there are none.", type: str, returned: always}
"""

from ansible.module_utils import berth_kubeadm as cluster  # noqa: E402
from ansible.module_utils.basic import AnsibleModule  # noqa: E402


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"purge": {"type": "bool", "default": False}}, supports_check_mode=True)
    purge = module.params["purge"]
    removed: list[str] = []
    leftover = cluster.there(cluster.VOLUMES)
    if cluster.record() is not None or (purge and leftover):
        try:
            removed = ["(check mode) the cluster"] if module.check_mode else cluster.Removal(purge).all()
        except OSError as error:
            module.fail_json(msg=f"The cluster is not removed whole: {error}. Run the same command again.")
    kept = str(cluster.VOLUMES) if cluster.there(cluster.VOLUMES) and not purge else ""
    module.exit_json(changed=bool(removed), removed=removed, kept=kept)


if __name__ == "__main__":
    main()
