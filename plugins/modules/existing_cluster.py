"""Use an existing cluster that Berth did not create."""

from __future__ import annotations

DOCUMENTATION = """
module: existing_cluster
short_description: Use an existing cluster that Berth did not create
description:
  - Copies one context of a kubeconfig into the environment's own kubeconfig, and returns what the cluster offers.
  - Before that, it lists all permissions that a release needs and the context's user lacks, and refuses a cluster that is not the environment's.
  - Changes nothing in the cluster, and nothing in the source.
options:
  source: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: The context in it., type: str, required: true}
  kubeconfig: {description: "The environment's own kubeconfig, written with mode 0600.", type: path, required: true}
  namespace: {description: The app's namespace., type: str, required: true}
  accept: {description: Identity of the cluster to accept instead of the recorded one., type: str, default: ""}
  needs_storage: {description: "Whether a database in the cluster will need a volume.", type: bool, default: false}
  storage_class: {description: "The volume's storage class; empty for the default one.", type: str, default: ""}
  volumes: {description: "The storage class of each of the app's volumes, by name; empty for the default one.", type: dict, default: {}}
  needs_metrics: {description: Whether pods will be autoscaled., type: bool, default: false}
  needs_registry: {description: Whether the nodes must pull from a registry that listens on this machine only., type: bool, default: false}
attributes:
  check_mode: {support: full, description: Reads and refuses as usual, but writes no kubeconfig.}
"""

EXAMPLES = """
- name: Use the cluster
  berth.platform.existing_cluster:
    source: ~/.kube/config
    context: kind-dev
    kubeconfig: .cache/staging/kubeconfig
    namespace: polls-staging
    needs_storage: true
"""

RETURN = """
endpoint: {description: The API server's address., type: str, returned: always}
version: {description: Kubernetes' version., type: str, returned: always}
storage_classes: {description: "Their names; null if the user may not read them.", type: list, elements: str, returned: always}
architectures: {description: "The architectures of the nodes that the user may read.", type: list, elements: str, returned: always}
storage_class: {description: "The default one, or empty.", type: str, returned: always}
metrics: {description: Whether the metrics API is served., type: bool, returned: always}
gateway: {description: Whether the Gateway API is served., type: bool, returned: always}
load_balancer: {description: Whether a Service has an address from a load balancer., type: bool, returned: always}
offers: {description: What the cluster offers, in one line., type: str, returned: always}
nodes: {description: "The addresses of each node; null if the user may not read them.", type: list, elements: list, returned: always}
node_address: {description: "A node's address that this machine can reach, or empty.", type: str, returned: always}
"""

import os
import platform
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.kube import client, identity
from ..module_utils.kube.existing import ExistingError, capabilities, described, elsewhere, read_context, refused
from ..module_utils.machine.artifacts import foreign


def problems(options: dict[str, Any], cluster: client.Cluster, offered: dict[str, Any]) -> list[str]:
    """Return what prevents a release of the app to the cluster, a sentence each."""
    found = []
    if denied := refused(cluster, options["namespace"], options["needs_storage"], bool(options["volumes"])):
        rights = "\n".join(f"  {one}" for one in denied)
        found.append(
            f"the user of {options['context']} lacks permissions (a Role in the namespace {options['namespace']}; to create it a ClusterRole):\n{rights}"
        )
    wanted = {"berth_database_storage_class": options["storage_class"]} if options["needs_storage"] else {}
    wanted |= {f"berth_app_volumes.{name}.storage_class": storage_class for name, storage_class in options["volumes"].items()}
    classes = offered["storage_classes"]
    for variable, storage_class in wanted.items() if classes is not None else ():
        if storage_class and storage_class not in classes:
            found.append(f"{variable} is {storage_class}, but there is no such StorageClass; there is {', '.join(classes) or 'none'}")
        elif not storage_class and not offered["storage_class"]:
            found.append(f"no StorageClass is the default: set {variable} to one of them ({', '.join(classes) or 'there is none'})")
    if options["needs_metrics"] and not offered["metrics"]:
        found.append("berth_app_autoscaling is set, but nothing serves metrics.k8s.io: install metrics-server, or unset it")
    if why := foreign(offered["architectures"], platform.machine()):
        found.append(f"its {why}: run this on a machine like the nodes")
    if options["needs_registry"] and (why := elsewhere(offered["nodes"])):
        found.append(
            f"berth_registry is not set, so images would go to this machine, and {why}: set berth_registry: external and berth_registry_host to a "
            "registry that the nodes can pull from; or, if every node is this machine, berth_registry: loopback"
        )
    return found


def write(path: Path, document: dict[str, Any]) -> None:
    """Write a kubeconfig atomically, readable by its owner only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(yaml.safe_dump(document))
    os.replace(temporary, path)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "context": {"type": "str", "required": True},
            "kubeconfig": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "accept": {"type": "str", "default": ""},
            "needs_storage": {"type": "bool", "default": False},
            "storage_class": {"type": "str", "default": ""},
            "volumes": {"type": "dict", "default": {}},
            "needs_metrics": {"type": "bool", "default": False},
            "needs_registry": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if client.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    options = module.params
    path = Path(options["kubeconfig"])
    try:
        document = read_context(Path(options["source"]), options["context"])
        cluster = client.Cluster(options["source"], options["context"], guarded=False)
        context = f"The context {options['context']} of {options['source']}"
        if refusal := identity.refusal(path, identity.read(path), cluster.identity(), options["accept"], context):
            module.fail_json(msg=refusal)
        offered = capabilities(cluster)
        if found := problems(options, cluster, offered):
            module.fail_json(msg="\n".join(["The app cannot be released to this cluster, and nothing was changed:", *(f"- {one}" for one in found)]))
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        changed = yaml.safe_load(text) != document or path.stat().st_mode & 0o777 != 0o600
        if changed and not module.check_mode:
            write(path, document)
    except (ExistingError, client.KubeError) as error:
        module.fail_json(msg=f"{error}. Nothing was changed.".replace("..", "."))
    except OSError as error:
        module.fail_json(msg=f"berth_kubeconfig: {path} cannot be written: {error.strerror}")
    module.exit_json(changed=changed, endpoint=cluster.endpoint, offers=described(offered), **offered)


if __name__ == "__main__":
    main()
