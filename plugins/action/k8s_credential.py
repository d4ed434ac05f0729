"""Give an environment a kubeconfig of its own. The documentation is in plugins/modules/k8s_credential.py."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils import credential
from ..module_utils.credential import Account
from ..module_utils.kube.client import Cluster, KubeError, Unreachable

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "administrator": {"type": "path", "required": True},
    "account_namespace": {"type": "str", "required": True},
    "account": {"type": "str", "required": True},
    "days": {"type": "int", "required": True},
}


def accepted(kubeconfig: Path) -> bool:
    """Whether the API server accepts the user of a kubeconfig.

    Raises:
        Unreachable: It does not answer.
    """
    try:
        Cluster(str(kubeconfig), None, guarded=False).identity()
    except Unreachable:
        raise
    except KubeError:
        return False
    return True


def token(administrator: Path, account: Account, days: int) -> str:
    """Return a new token for an account (kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1).

    Raises:
        KubeError, Unreachable: The API server issues none.
    """
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": days * credential.DAY}}
    path = f"/api/v1/namespaces/{account.namespace}/serviceaccounts/{account.name}/token"
    status, answer = Cluster(str(administrator), None).ask(path, body)
    if status != 201:
        said = answer.get("message") or status
        raise KubeError(f"The API server issues no token for the ServiceAccount {account.name} in namespace {account.namespace}: {said}")
    return str(answer["status"]["token"])


def provide(path: Path, administrator: Path, account: Account, days: int, check: bool = False) -> str:
    """Write the kubeconfig if needed, and return the reason as a phrase; "" if nothing was written.

    Raises:
        KubeError, Unreachable: There is no administrator, or the API server issues no token; in check mode neither matters.
        OSError: The kubeconfig cannot be written.
    """
    known = credential.read(administrator)
    if known is None:
        if check:  # the cluster does not exist yet
            return "there is none"
        raise KubeError(f"{administrator}, the kubeconfig of the cluster's administrator, cannot be read. Run again as root.")
    reason = credential.due(path, known, account, days, time.time())
    try:
        if not reason and not accepted(path):
            reason = "the API server no longer accepted it"
    except Unreachable:
        if not check:
            raise
    if reason and not check:
        credential.write(path, credential.kubeconfig(known, account, token(administrator, account, days)))
    return reason


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the kubeconfig if needed."""
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        path, account = Path(given["kubeconfig"]), Account(given["account_namespace"], given["account"])
        try:
            reason = provide(path, Path(given["administrator"]), account, given["days"], self._task.check_mode)
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        except OSError as error:
            return result | {"failed": True, "msg": f"berth_kubeconfig: {path} cannot be written: {error.strerror}"}
        return result | {"changed": bool(reason), "reason": reason}
