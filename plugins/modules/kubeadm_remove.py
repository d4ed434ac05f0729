"""Take this machine's kubeadm cluster away."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeadm_remove
short_description: Remove the cluster that Berth made on this machine, and only it
description:
  - Removes its processes, containers, mounts, interfaces, packet filter rules and files, and says which. Refuses where Berth made no cluster.
  - Can be run again after it was cut off. Packages that were installed stay.
options:
  environment: {description: "The environment that no longer uses the cluster. While others do, only its own traces go.", type: str, default: ""}
  namespace: {description: "The environment's namespace, which has to be named while others use the cluster.", type: str, default: ""}
  purge: {description: "Remove the volumes too, and so the data of databases in the cluster.", type: bool, default: false}
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
stays: {description: "Why the cluster stays and what removes it, empty where it does not.", type: str, returned: always}
kept: {description: "Where the volumes are that were kept, empty when there are none.", type: str, returned: always}
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
        if others and environment in users:
            removed = ["(check mode) the environment"] if module.check_mode else cluster.leave(environment, namespace, purge)
        elif not others and (record is not None or (purge and cluster.there(cluster.VOLUMES))):
            removed = ["(check mode) the cluster"] if module.check_mode else cluster.Removal(purge).all()
    except ValueError as error:
        module.fail_json(msg=f"Nothing was removed: {error}. Set berth_namespace to the one that {environment} has, and run the same command again.")
    except OSError as error:
        module.fail_json(msg=f"The cluster is not removed whole: {error}. Run the same command again.")
    kept = str(cluster.VOLUMES) if cluster.there(cluster.VOLUMES) and not purge else ""
    module.exit_json(changed=bool(removed), removed=removed, stays=cluster.stays(others), kept=kept)


if __name__ == "__main__":
    main()
