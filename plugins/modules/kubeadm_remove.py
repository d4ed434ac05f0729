"""Remove this machine's kubeadm cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_remove
short_description: Remove the cluster that Berth created on this machine, and nothing else
description:
  - Removes its processes, containers, mounts, interfaces, packet filter rules and files, and reports them. Refuses if Berth did not create the cluster.
  - Can be run again after an interruption. Installed packages stay.
options:
  environment: {description: "The environment that no longer uses the cluster. While others use it, only its own traces are removed.", type: str, default: ""}
  namespace: {description: "The environment's namespace, required with O(purge) and while others use the cluster.", type: str, default: ""}
  purge:
    description:
      - Whether to remove the volumes of the namespace too, including the data of a database in it. The environment may have left the cluster before.
      - Volumes of other namespaces stay, also those of environments that were destroyed earlier.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Says whether there is something to remove.}
"""

EXAMPLES = """
- name: Remove the cluster, keep its volumes
  berth.platform.kubeadm_remove:
    environment: dev
    namespace: polls-dev
"""

RETURN = """
removed: {description: "What was removed, as phrases.", type: list, elements: str, returned: always}
stays: {description: "Why the cluster stays and how to remove it; empty if it was removed.", type: str, returned: always}
kept: {description: "The directories of volumes that stay although nothing uses them.", type: list, elements: str, returned: always}
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine import kubeadm as cluster


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "environment": {"type": "str", "default": ""},
            "namespace": {"type": "str", "default": ""},
            "purge": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    environment, namespace, purge = (module.params[name] for name in ("environment", "namespace", "purge"))
    record = cluster.record()
    users = (record or {}).get("environments", [])
    others = sorted(set(users) - {environment}) if environment else []
    removed: list[str] = []
    try:
        if purge or (others and environment in users):
            cluster.refuse_namespace(environment, namespace)
        purged = cluster.kept(namespace) if purge else []
        if others and environment in users:
            removed = ["(check mode) the environment"] if module.check_mode else cluster.leave(environment, namespace, purge)
        elif others and purged:
            removed = ["(check mode) its volumes"] if module.check_mode else cluster.remove_kept(environment, namespace)
        elif not others and (record is not None or purged):
            removed = ["(check mode) the cluster"] if module.check_mode else cluster.Removal(namespace if purge else "").all()
    except ValueError as error:
        module.fail_json(msg=f"Nothing was removed: {error}. Set berth_namespace to the one that {environment} has, and run the same command again.")
    except OSError as error:
        module.fail_json(msg=f"The cluster is not removed whole: {error}. Run the same command again.")
    kept = [directory for directory in cluster.kept(namespace if others else None) if directory not in purged]
    module.exit_json(changed=bool(removed), removed=removed, stays=cluster.stays(others), kept=kept)


if __name__ == "__main__":
    main()
