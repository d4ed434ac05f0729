"""What Kubernetes' own pods take from a node of the local cluster."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.berth.platform.plugins.module_utils.rollout.node_room import Resource
from ansible_collections.berth.platform.plugins.plugin_utils import preflight
from kubernetes import client

pytestmark = pytest.mark.cluster


def test_kubernetes_itself_requests_what_preflight_says(api: client.ApiClient) -> None:
    core = client.CoreV1Api(api)
    listed = [core.list_namespaced_pod(namespace, field_selector="status.phase=Running") for namespace in ("kube-system", "local-path-storage")]
    pods = [pod for each in listed for pod in api.sanitize_for_serialization(each)["items"]]
    assert {name: sum((Resource(name).of_pod(pod) for pod in pods), Decimal(0)) for name in preflight.KUBERNETES} == preflight.KUBERNETES
