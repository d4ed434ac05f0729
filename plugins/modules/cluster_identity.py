"""Hold an environment to its own cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_identity
short_description: Hold an environment to its own cluster
description:
  - Records beside the kubeconfig which cluster it leads to, for which environment, and refuses any other from then on.
  - The identity is the uid of the namespace C(kube-system), or what the kubeconfig says of the cluster where its user may not read that.
  - Every module of Berth that talks to a cluster looks at the record before its first request.
options:
  kubeconfig: {description: The environment's own kubeconfig., type: path, required: true}
  environment: {description: The environment's name., type: str, required: true}
  provider: {description: What provides the cluster., type: str, required: true}
  accept:
    description: Identity of the cluster that the environment is to live in from now on, instead of the recorded one.
    type: str
    default: ""
  vouched:
    description: The provider itself made the cluster for this environment, so a new identity is that of a cluster made anew.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Compares, and records nothing.}
"""

EXAMPLES = """
- name: Record which cluster is the environment's
  cluster_identity:
    kubeconfig: .cache/staging/kubeconfig
    environment: staging
    provider: existing
"""

RETURN = """
cluster: {description: "The identity, empty in check mode where no cluster answers yet.", type: str, returned: always}
"""

from pathlib import Path

from ansible.module_utils import berth_identity, berth_kube
from ansible.module_utils.basic import AnsibleModule, missing_required_lib


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "environment": {"type": "str", "required": True},
            "provider": {"type": "str", "required": True},
            "accept": {"type": "str", "default": ""},
            "vouched": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if berth_kube.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    kubeconfig, environment, accept = (module.params[name] for name in ("kubeconfig", "environment", "accept"))
    if module.check_mode and not Path(kubeconfig).exists():
        module.exit_json(changed=True, cluster="")
    known = berth_identity.read(kubeconfig)
    if known and known["environment"] != environment:
        module.fail_json(
            msg=f"{kubeconfig} is the kubeconfig of the environment {known['environment']} ({berth_identity.path_beside(kubeconfig)}), not of {environment}. "
            f"Set berth_kubeconfig in inventories/{environment}/group_vars/all.yml to a path of its own."
        )
    try:
        found = berth_kube.Cluster(kubeconfig, None, guarded=False).identity()
        if accept and accept != found:
            module.fail_json(msg=f"berth_cluster_id is {accept}, and the cluster that {kubeconfig} leads to is {found}. Nothing was changed there.")
        if known and known["cluster"] != found and not (accept or module.params["vouched"]):
            module.fail_json(msg=berth_identity.refusal(kubeconfig, known, found))
        record = {"environment": environment, "provider": module.params["provider"], "cluster": found}
        if record != known and not module.check_mode:
            berth_identity.write(kubeconfig, record)
    except berth_kube.Unreachable as error:
        if not module.check_mode:
            module.fail_json(msg=f"{error}. Run playbooks/cluster.yml; it starts a cluster that stands still.")
        module.exit_json(changed=False, cluster="")
    except (berth_kube.KubeError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=record != known, cluster=found)


if __name__ == "__main__":
    main()
