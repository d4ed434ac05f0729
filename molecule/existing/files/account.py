"""Print an account that may do what a release needs (NEEDED of module_utils/kube/existing.py) and nothing else in the cluster, as objects in JSON.

So a permission that is missing in that list fails the scenario. Besides, it may list nodes: the app is asked for its page at a node's address.
"""

import json

from ansible_collections.berth.platform.plugins.module_utils.kube.existing import NEEDED, NEEDED_BY_DATABASE

NAME = "molecule-releaser"
rights = [*NEEDED, *NEEDED_BY_DATABASE, ("", "namespaces", ("get", "create", "patch")), ("", "nodes", ("list",))]
rbac = "rbac.authorization.k8s.io"
account = {"kind": "ServiceAccount", "name": NAME, "namespace": "default"}
objects = [
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": "default"}},
    {
        # Its token stays the same, so a second run changes nothing.
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {"name": NAME, "namespace": "default", "annotations": {"kubernetes.io/service-account.name": NAME}},
    },
    {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)} for group, resource, verbs in rights],
    },
    {
        "apiVersion": f"{rbac}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
        "subjects": [account],
    },
]
print(json.dumps(objects))
