"""A namespace of its own on a real cluster, and the modules as Ansible runs them.

BERTH_TEST_KUBECONFIG names the cluster, BERTH_TEST_IMAGE an image in its registry that has a shell.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from cluster_objects import until
from kubernetes import client, config, utils

Json = dict[str, Any]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks of these tests."""
    config.addinivalue_line("markers", "cluster: needs the real cluster that BERTH_TEST_KUBECONFIG names")
    config.addinivalue_line("markers", "patient: waits for a minute, so that it begins before the others")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait longest, each on a worker of its own, so that nobody waits for one of them at the end.

    At first pytest-xdist gives each worker two tests, one after the other in this order.
    """
    patient = [item for item in items if item.get_closest_marker("patient")]
    items[:] = [item for item in items if item not in patient]
    for number, item in enumerate(patient):
        items.insert(2 * number, item)


def setting(name: str) -> str:
    """Return a variable of the environment, without which these tests would test nothing."""
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(f"{name} is not set: these tests need a real cluster. See scripts/test.", pytrace=False)
    return value


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """Return the path of the cluster's kubeconfig."""
    path = Path(setting("BERTH_TEST_KUBECONFIG"))
    if not path.is_file():
        pytest.fail(f"BERTH_TEST_KUBECONFIG names {path}, which is no file.", pytrace=False)
    return str(path)


@pytest.fixture(scope="session")
def image() -> str:
    """Return an image with a shell that the cluster can pull."""
    return setting("BERTH_TEST_IMAGE")


@pytest.fixture(scope="session")
def api(kubeconfig: str) -> client.ApiClient:
    """Return a client of the cluster."""
    return config.new_client_from_config(kubeconfig)


@pytest.fixture
def namespace(api: client.ApiClient) -> Iterator[str]:
    """Make a namespace under the restricted Pod Security level, and delete it with all that is in it."""
    name = f"berth-test-{uuid.uuid4().hex[:8]}"
    core = client.CoreV1Api(api)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    try:
        until(lambda: core.list_namespaced_service_account(name).items, "the namespace's ServiceAccount")
        yield name
    finally:
        core.delete_namespace(name, grace_period_seconds=0)


@pytest.fixture
def apply(api: client.ApiClient, namespace: str) -> Callable[..., None]:
    """Return a function that creates objects in the test's namespace."""

    def create(*manifests: Json) -> None:
        for manifest in manifests:
            utils.create_from_dict(api, manifest, namespace=namespace)

    return create


@pytest.fixture
def run(kubeconfig: str, namespace: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., Json]:
    """Return a function that runs a module's main as Ansible does, and returns its result."""

    def call(module: Any, check: bool = False, **options: Any) -> Json:
        arguments = {"kubeconfig": kubeconfig, "namespace": namespace, "_ansible_check_mode": check} | options
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call
