"""Talk to a Kubernetes API server by its REST paths.

The kinds that Berth creates are few and known, so neither discovery (a request for each API group) nor the
dynamic client is needed: one GET is one request. For other kinds, such as a project's own, the API server is asked.
The kubeconfig is loaded by the official client, which knows certificates, tokens and exec plugins such as
``aws eks get-token``.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import json
import multiprocessing.util
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..machine import proxies
from . import identity as identities

try:
    import urllib3
    import yaml
    from kubernetes import config as kube_config
    from kubernetes.client import ApiException
    from kubernetes.stream.ws_client import WSClient, get_websocket_url, portforward_call
    from websocket import WebSocketBadStatusException, WebSocketException
except ImportError as error:
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

# Kind: (API path prefix, plural, API group). https://kubernetes.io/docs/reference/kubernetes-api/
KINDS: dict[str, tuple[str, str, str]] = {
    "ClusterRole": ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", "rbac.authorization.k8s.io"),
    "ClusterRoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "clusterrolebindings", "rbac.authorization.k8s.io"),
    "ConfigMap": ("/api/v1", "configmaps", ""),
    "LimitRange": ("/api/v1", "limitranges", ""),
    "Namespace": ("/api/v1", "namespaces", ""),
    "Node": ("/api/v1", "nodes", ""),
    "ResourceQuota": ("/api/v1", "resourcequotas", ""),
    "Event": ("/api/v1", "events", ""),
    "PersistentVolume": ("/api/v1", "persistentvolumes", ""),
    "PersistentVolumeClaim": ("/api/v1", "persistentvolumeclaims", ""),
    "Pod": ("/api/v1", "pods", ""),
    "Secret": ("/api/v1", "secrets", ""),
    "Service": ("/api/v1", "services", ""),
    "ServiceAccount": ("/api/v1", "serviceaccounts", ""),
    "ControllerRevision": ("/apis/apps/v1", "controllerrevisions", "apps"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets", "apps"),
    "Deployment": ("/apis/apps/v1", "deployments", "apps"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets", "apps"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets", "apps"),
    "CronJob": ("/apis/batch/v1", "cronjobs", "batch"),
    "Job": ("/apis/batch/v1", "jobs", "batch"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers", "autoscaling"),
    "Ingress": ("/apis/networking.k8s.io/v1", "ingresses", "networking.k8s.io"),
    "IngressClass": ("/apis/networking.k8s.io/v1", "ingressclasses", "networking.k8s.io"),
    "IngressClassParams": ("/apis/eks.amazonaws.com/v1", "ingressclassparams", "eks.amazonaws.com"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies", "networking.k8s.io"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets", "policy"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles", "rbac.authorization.k8s.io"),
    "StorageClass": ("/apis/storage.k8s.io/v1", "storageclasses", "storage.k8s.io"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings", "rbac.authorization.k8s.io"),
}

# The library's name for the threads that forward a port's data (kubernetes.stream.ws_client).
FORWARDER = "Kubernetes port forward proxy"

# A certificate in a PEM file (RFC 7468).
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----")

# Cluster-scoped kinds.
CLUSTER_SCOPED = ("ClusterRole", "ClusterRoleBinding", "IngressClass", "IngressClassParams", "Namespace", "Node", "PersistentVolume", "StorageClass")

ESCAPE = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)")
"""A JSON escape; for a character beyond U+FFFF, both halves."""
CONTENT = {False: "application/apply-patch+yaml", True: "application/json-patch+json"}
"""The content type of a patch, by whether it is a list."""

STDOUT = 1
"""The channel of a command's output (k8s.io/apimachinery/pkg/util/remotecommand)."""

CONNECTION_OPTIONS: dict[str, dict[str, Any]] = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
    "namespace": {"type": "str", "required": True},
}

ACCOUNT = "system:serviceaccount:berth-accounts:"
"""How the API server names the accounts of environments (roles/kubeadm), which have rights in their own namespaces only."""


class KubeError(Exception):
    """The API server refused a request; the text is meant for the user."""


class Unreachable(KubeError):
    """The API server did not answer, or asked the client to retry later: trying again may help."""


class Forbidden(KubeError):
    """The user of the kubeconfig lacks a permission, which the text names."""


class NotFound(KubeError):
    """The object does not exist."""


class UnknownKind(NotFound):
    """The API server does not have this kind."""


class Changed(KubeError):
    """Somebody else changed the object since it was read."""


class WrongCluster(KubeError):
    """The kubeconfig leads to another cluster than the environment's own."""


def kind_of(item: dict[str, Any]) -> str:
    """Return the kind to request an object by: its ``kind``, or ``apiVersion/kind`` if that is not in KINDS.

    >>> kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}), kind_of({"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor"})
    ('Deployment', 'monitoring.coreos.com/v1/ServiceMonitor')
    """
    version, kind = item["apiVersion"], item["kind"]
    return kind if kind in KINDS and KINDS[kind][0] == prefix_of(version) else f"{version}/{kind}"


def prefix_of(version: str) -> str:
    """Return the path below which the API server has an ``apiVersion``."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def path_of(kind: str, namespace: str, name: str = "") -> str:
    """Return the REST path of an object, or of a kind's list if no name is given: in a namespace, or in all of them if that is empty.

    >>> path_of("Pod", "polls-dev"), path_of("Pod", "")
    ('/api/v1/namespaces/polls-dev/pods', '/api/v1/pods')
    """
    prefix, plural, _group = KINDS[kind]
    place = f"{prefix}/namespaces/{namespace}" if namespace and kind not in CLUSTER_SCOPED else prefix
    return f"{place}/{plural}" + (f"/{name}" if name else "")


# Fields of a cluster and a user in a kubeconfig: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
INLINE = ("certificate-authority", "client-certificate", "client-key")


def without_files(loaded: Any) -> Any:
    """Return a kubeconfig, as the library has loaded and merged it, with its certificates and keys in memory.

    TLS reads them from files only. The library writes temporary ones and removes them when Python exits, but Ansible kills the last worker of a run
    before that, so keys would stay behind.
    """
    if not hasattr(os, "memfd_create"):  # Linux has it
        multiprocessing.util.Finalize(None, kube_config.kube_config._cleanup_temp_files, exitpriority=0)
        return loaded
    for kind in ("cluster", "user"):
        for entry in (each.value.get(kind) for each in loaded.value[f"{kind}s"]):
            for name in INLINE if isinstance(entry, dict) else ():
                if data := entry.pop(f"{name}-data", None):
                    entry[name] = in_memory(base64.b64decode(data))
    return loaded


@functools.cache
def in_memory(content: bytes) -> str:
    """Return the path of a file in memory that belongs to this process and disappears with it."""
    with open(os.memfd_create("kubeconfig"), "wb", closefd=False) as file:
        file.write(content)
        return f"/proc/self/fd/{file.fileno()}"


def quieten_forwarders() -> None:
    """Suppress the traceback when a port-forwarding thread finds its tunnel closed: the reader of the port notices the end anyway."""
    before = threading.excepthook
    if getattr(before, "__name__", "") == "all_but_forwarders":
        return

    def all_but_forwarders(args: threading.ExceptHookArgs) -> None:
        if not (args.thread and args.thread.name.startswith(FORWARDER)):
            before(args)

    threading.excepthook = all_but_forwarders


class Cluster:
    """One API server, as the user of one kubeconfig.

    If the kubeconfig's cluster is on record (identities), the first request is preceded by a check that it is the same one.

    Args:
        kubeconfig: Path of the kubeconfig; None for the client's own default (KUBECONFIG, ~/.kube/config).
        context: Name of a context in it; None for its current context.
        guarded: Whether only the cluster on record may be contacted.

    Raises:
        KubeError: The kubeconfig is missing, is not valid or has no such context.
    """

    def __init__(self, kubeconfig: str | None, context: str | None, guarded: bool = True) -> None:
        self.now = ""
        """The API server's time at its latest answer, RFC 3339 in seconds (this machine's clock may differ)."""
        self._source = kubeconfig or "the default kubeconfig"
        self._kubeconfig, self._context = kubeconfig, context
        self._record = identities.read(kubeconfig) if guarded else {}
        self._resources: dict[str, dict[str, tuple[str, bool]]] = {}
        self._load()

    def resource(self, kind: str) -> tuple[str, bool]:
        """Return the plural of a kind, named as by ``kind_of``, and whether it is namespaced. Each version of a group is requested once.

        Raises:
            UnknownKind: The API server does not have it.
            Unreachable, KubeError: As described in those classes.
        """
        if kind in KINDS:
            return KINDS[kind][1], kind not in CLUSTER_SCOPED
        version, _, name = kind.rpartition("/")
        if version not in self._resources:
            status, answer = self.ask(prefix_of(version))
            if status not in (200, 404):
                raise KubeError(f"The API server answers {status} when asked which kinds {version} has: {answer.get('message', 'it does not say why')}")
            found = answer.get("resources") or []
            self._resources[version] = {each["kind"]: (each["name"], each["namespaced"]) for each in found if "/" not in each["name"]}
        if name not in self._resources[version]:
            known = f" that version has {', '.join(sorted(self._resources[version]))}" if self._resources[version] else f" it does not serve {version}"
            raise UnknownKind(f"The cluster does not know the kind {name} of {version};{known}")
        return self._resources[version][name]

    def path(self, kind: str, namespace: str, name: str = "") -> str:
        """Return the REST path of an object or of a kind's list, like ``path_of``, for any kind that the API server has.

        Raises:
            UnknownKind, Unreachable, KubeError: As described in those classes.
        """
        if kind in KINDS:
            return path_of(kind, namespace, name)
        plural, namespaced = self.resource(kind)
        place = prefix_of(kind.rpartition("/")[0]) + (f"/namespaces/{namespace}" if namespace and namespaced else "")
        return f"{place}/{plural}" + (f"/{name}" if name else "")

    def _load(self) -> None:
        try:
            loaded = kube_config.kube_config.KubeConfigMerger(self._kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION).config
            if loaded is None:
                raise kube_config.ConfigException("Invalid kube-config file. No configuration found.")
            self._client = kube_config.new_client_from_config_dict(without_files(loaded), context=self._context, persist_config=False)
        except (kube_config.ConfigException, OSError, AttributeError, ValueError, TypeError, yaml.YAMLError) as error:
            if self._leads_nowhere():
                self._client = None
                return
            if self._kubeconfig and not os.path.exists(self._kubeconfig):
                raise KubeError(
                    f"There is no kubeconfig {self._source} (berth_kubeconfig): the environment was not created yet, or was destroyed. site.yml creates it."
                ) from None
            raise KubeError(
                f"The kubeconfig {self._source} cannot be used: {' '.join(str(error).split()).rstrip('.')}. "
                "Check berth_kubeconfig; the playbook playbooks/cluster.yml writes the file."
            ) from error

    def _leads_nowhere(self) -> bool:
        """Whether the kubeconfig has no context at all, as after ``minikube stop``: this counts as a cluster that does not answer."""
        if not self._kubeconfig or self._context:
            return False
        try:
            with open(self._kubeconfig, encoding="utf-8") as file:
                content = yaml.safe_load(file)
        except (OSError, ValueError, yaml.YAMLError):
            return False
        return isinstance(content, dict) and content.get("kind") == "Config" and not content.get("contexts")

    def identity(self, patience: float = 0) -> identities.Identity:
        """Return what identifies this cluster: the uid of its namespace kube-system, if the user may read it, and its authority.

        Args:
            patience: Seconds for which the cluster may still deny the user access while it is being set up.

        Raises:
            Unreachable, KubeError: As described in those classes.
        """
        end = time.monotonic() + patience
        response = self._ask("GET", "/api/v1/namespaces/kube-system", None)
        while response.status in (401, 403) and time.monotonic() < end:
            time.sleep(2)
            self._load()
            response = self._ask("GET", "/api/v1/namespaces/kube-system", None)
        if response.status == 401:
            raise KubeError(self._unknown_user())
        if response.status not in (200, 403):
            raise Unreachable(f"The API server answers {response.status} when asked for the namespace kube-system")
        uid = json.loads(response.data)["metadata"]["uid"] if response.status == 200 else ""
        return identities.Identity(uid, self._authority())

    def _authority(self) -> str:
        """Return the fingerprint of the certificates that the kubeconfig trusts; if there are none, or none is verified, the address."""
        configuration = self._client.configuration
        if not configuration.ssl_ca_cert or not configuration.verify_ssl:
            return f"server:{configuration.host}"
        with open(configuration.ssl_ca_cert, encoding="ascii", errors="replace") as file:
            certificates = CERTIFICATE.findall(file.read())
        content = b"".join(base64.b64decode(certificate) for certificate in certificates)
        return f"authority:{hashlib.sha256(content).hexdigest()[:32]}"

    def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Read a path of the API, or post ``body`` to it, and return the answer's HTTP status and content.

        Raises:
            Unreachable, KubeError: As described in those classes; a status of refusal is an answer.
        """
        response = self._send("GET" if body is None else "POST", path, body)
        try:
            return response.status, json.loads(response.data)
        except ValueError:
            return response.status, {}

    def make(self, namespace: str, body: dict[str, Any]) -> bool:
        """Create a namespaced object; return False if one with that name exists already, e.g. from a concurrent run.

        Raises:
            Unreachable, KubeError: As described in those classes; also if the API server refuses.
        """
        kind, name = body["kind"], body["metadata"]["name"]
        status, answer = self.ask(path_of(kind, namespace), body)
        if status not in (201, 409):
            reason = answer.get("message") or status
            raise KubeError(f"The API server does not allow Berth to create {kind} {name} in namespace {namespace}: {reason}")
        return status == 201

    def get(self, kind: str, namespace: str, name: str = "", **query: str | int) -> dict[str, Any]:
        """Read one object, or the list of a kind in a namespace.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: As described in those classes.
        """
        return json.loads(self._request("GET", kind, namespace, name, query=query))

    def items(self, kind: str, namespace: str, **query: str | int) -> list[dict[str, Any]]:
        """Read a kind's objects in a namespace: a list of objects, each with its ``kind`` filled in."""
        return [{**item, "kind": kind} for item in self.get(kind, namespace, "", **query).get("items") or []]

    def log(self, namespace: str, pod: str, **query: str | int) -> str:
        """Read a container's log; ``query`` goes to the pod's log subresource.

        Raises:
            NotFound: There is no log, or the node has removed the container that wrote it.
            Forbidden, Unreachable, KubeError: As described in those classes.
        """
        text = self._request("GET", "Pod", namespace, pod, "/log", query).decode("utf-8", "replace")
        # The kubelet returns this instead of the log, with status 200 (GetContainerLogs in kuberuntime_container.go).
        if re.fullmatch(r"unable to retrieve container logs for \S+\s*", text):
            raise NotFound(f"The node no longer has this log of Pod {pod} in namespace {namespace}")
        return text

    def execute(self, namespace: str, pod: str, container: str, command: list[str], stdin: bool = False, terminal: bool = False) -> WSClient:
        """Start a command in a container, and return the connection that its streams share; with a terminal, its output is one stream.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: As described in those classes.
        """
        self.get("Pod", namespace, pod)  # says what is wrong in words, loads new credentials, and stops at the wrong cluster
        query: list[tuple[str, Any]] = [("container", container), ("stdin", str(stdin).lower()), ("stdout", "true"), ("stderr", str(not terminal).lower())]
        query += [("tty", str(terminal).lower()), ("command", command)]
        url = get_websocket_url(self._client.configuration.host + path_of("Pod", namespace, pod) + "/exec", query)
        try:
            return WSClient(self._client.configuration, url, self._credentials(), capture_all=False, binary=True)
        except WebSocketBadStatusException as error:
            if error.status_code == 403:
                raise Forbidden(
                    f"Kubernetes does not allow this user to run commands in pods of the namespace {namespace}. "
                    'Grant it with a Role: apiGroups [""], resources ["pods/exec"], verbs ["create", "get"].'
                ) from None
            raise KubeError(f"The API server cannot run a command in Pod {pod} in namespace {namespace}: it answers {error.status_code}") from None
        except (WebSocketException, OSError) as error:
            raise Unreachable(f"The API server {self.endpoint} does not answer: {error}") from error

    def output(self, namespace: str, pod: str, container: str, command: list[str], timeout: float = 5.0) -> str:
        """Return what a short command in a container prints within ``timeout`` seconds; empty if the image has no such command.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: see ``execute``.
        """
        connection = self.execute(namespace, pod, container, command)
        text, end = b"", time.monotonic() + timeout
        try:
            while connection.is_open() and (left := end - time.monotonic()) > 0:
                connection.update(timeout=left)
                text += connection.read_channel(STDOUT)
        except (WebSocketException, OSError) as error:
            raise Unreachable(f"The connection to Pod {pod} in namespace {namespace} broke: {error}") from error
        finally:
            connection.close()
        return text.decode(errors="replace")

    @contextlib.contextmanager
    def port_forward(self, namespace: str, pod: str, port: int) -> Iterator[Callable[[int], socket.socket]]:
        """Yield a function that returns a connection to the port of a pod.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: As described in those classes.
        """
        self.get("Pod", namespace, pod)  # as in execute
        url = f"{self._client.configuration.host}{path_of('Pod', namespace, pod)}/portforward"
        quieten_forwarders()
        try:
            query = [("ports", str(port))]
            tunnel = portforward_call(self._client.configuration, "GET", url, query_params=query, headers=self._credentials())
        except ApiException as error:
            if "403" in str(error.reason):
                raise Forbidden(
                    f"Kubernetes does not allow this user to reach ports of pods in the namespace {namespace}. "
                    'Grant it with a Role: apiGroups [""], resources ["pods/portforward"], verbs ["create", "get"].'
                ) from None
            raise Unreachable(f"The API server cannot forward a port of Pod {pod} in namespace {namespace}: {error.reason}") from None
        try:
            yield tunnel.socket
        finally:
            tunnel.close()

    def version(self) -> str:
        """Return the API server's version, e.g. ``v1.36.3``; empty if it does not tell this user.

        Raises:
            Unreachable: It does not answer.
        """
        response = self._send("GET", "/version", None)
        try:
            return str(json.loads(response.data)["gitVersion"]) if response.status == 200 else ""
        except (ValueError, KeyError, TypeError):
            return ""

    def create(self, kind: str, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object and return the result, including the name if the API server chose it.

        Raises:
            Forbidden, Unreachable, KubeError: As described in those classes.
        """
        return json.loads(self._request("POST", kind, namespace, body=body))

    def delete(self, kind: str, namespace: str, name: str, uid: str, propagation: str) -> None:
        """Delete exactly the object that was read (by uid), and what it owns according to ``propagation``.

        An object that is gone already is not an error.
        """
        body = {"propagationPolicy": propagation, "preconditions": {"uid": uid}}
        with contextlib.suppress(NotFound):
            self._request("DELETE", kind, namespace, name, body=body)

    def patch(self, kind: str, namespace: str, name: str, operations: list[dict[str, Any]], subresource: str = "") -> dict[str, Any]:
        """Apply a JSON patch (RFC 6902) to an object, or to its ``subresource`` such as ``/status``, and return the result.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: As described in those classes; also if a test in the patch no longer holds.
        """
        return json.loads(self._request("PATCH", kind, namespace, name, subresource, body=operations))

    def apply(self, kind: str, namespace: str, name: str, body: dict[str, Any], manager: str, force: bool) -> dict[str, Any]:
        """Apply an object server-side, and return the result; the arguments are those of ``try_apply``.

        Raises:
            NotFound, Forbidden, Unreachable, KubeError: As described in those classes; also if others have set a field to another value.
        """
        query: dict[str, str | int] = {"fieldManager": manager, "force": str(force).lower()}
        return json.loads(self._request("PATCH", kind, namespace, name, query=query, body=body))

    def try_apply(self, kind: str, namespace: str, name: str, body: dict[str, Any], manager: str, force: bool) -> tuple[int, dict[str, Any]]:
        """Return the HTTP status and content with which the API server would answer a server-side apply; nothing is changed.

        Args:
            kind: As ``kind_of`` returns it.
            namespace: The object's namespace.
            name: The object's name.
            body: The object.
            manager: The field manager.
            force: Whether to take over fields that others have set to another value.

        Raises:
            UnknownKind, Unreachable, KubeError: As described in those classes; a status of refusal is an answer.
        """
        query = urlencode({"fieldManager": manager, "force": str(force).lower(), "dryRun": "All"})
        response = self._send("PATCH", f"{self.path(kind, namespace, name)}?{query}", body)
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = {}
        if response.status in (429, 502, 503, 504):  # 500 is the answer if the object does not match the kind's schema
            raise Unreachable(f"The API server answers {response.status} for {kind} {name}: {answer.get('message', 'it does not say why')}")
        return response.status, answer

    def _request(
        self,
        method: str,
        kind: str,
        namespace: str,
        name: str = "",
        subresource: str = "",
        query: dict[str, str | int] | None = None,
        body: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> bytes:
        url = self.path(kind, namespace, name) + subresource + (f"?{urlencode(query)}" if query else "")
        response = self._send(method, url, body)
        if response.status == 401:
            # A token of an exec plugin may have expired during a long wait: reload the kubeconfig, once.
            self._load()
            response = self._send(method, url, body)
        if date := response.headers.get("Date"):
            self.now = parsedate_to_datetime(date).strftime("%Y-%m-%dT%H:%M:%SZ")
        if response.status < 300:
            return response.data
        try:
            said = json.loads(response.data).get("message") or ""
        except (ValueError, AttributeError):
            said = response.data.decode("utf-8", "replace")[:200]
        where = f"{kind} {name}{subresource}" if name else f"{kind} objects"
        place, role = (f"in namespace {namespace}", "Role") if namespace else ("in the cluster", "ClusterRole")
        if response.status == 404:
            raise NotFound(f"{where} {place}: {said or 'not found'}")
        if response.status == 403 and method == "GET" and namespace and self._is_shut_out(said, namespace):
            if name:
                raise NotFound(f"{where} {place}: there is no such namespace, or the environment's account has no rights in it")
            return b'{"items": []}'  # as for a namespace that does not exist
        if response.status == 403:
            verb = {"GET": "get" if name else "list", "DELETE": "delete", "PATCH": "patch", "POST": "create"}[method]
            plural, group = self.resource(kind)[0], KINDS[kind][2] if kind in KINDS else kind.split("/")[0]
            raise Forbidden(
                f"Kubernetes does not allow this user to {verb} {plural}{subresource} {place}: {said}. "
                f'Grant it with a {role}: apiGroups ["{group}"], resources ["{plural}{subresource}"], verbs ["{verb}"].'
            )
        if response.status == 401:
            raise KubeError(self._unknown_user())
        if response.status == 429 or response.status >= 500:
            raise Unreachable(f"The API server answers {response.status} for {where}: {said}")
        if response.status == 409 and method == "PATCH":
            raise Changed(f"{where} {place} was changed by somebody else in the meantime: run the same command again")
        raise KubeError(f"The API server refuses to {method} {where} {place}: {said}")

    def _is_shut_out(self, said: str, namespace: str) -> bool:
        """Whether a refusal covers a whole namespace: an environment's account gets its rights from a Role in it, so it has none before the Role exists."""
        return ACCOUNT in said and self._ask("GET", f"/api/v1/namespaces/{namespace}", None).status == 403

    def _unknown_user(self) -> str:
        return (
            f"The API server {self._client.configuration.host} does not accept the credentials of {self._source}. "
            "Write a new kubeconfig with playbooks/cluster.yml; with EKS, name the IAM user or role of your AWS credentials in berth_eks_access."
        )

    @property
    def endpoint(self) -> str:
        """The API server's address."""
        return self._client.configuration.host

    def _credentials(self) -> dict[str, str]:
        """Return the headers that authenticate a request."""
        settings = self._client.configuration.auth_settings().values()
        return {setting["key"]: setting["value"] for setting in settings if setting["in"] == "header" and setting["value"]}

    def _send(self, method: str, path: str, body: dict[str, Any] | list[dict[str, Any]] | None) -> Any:
        if str(identities.identity(self._record)):
            if refusal := identities.refusal(self._source, self._record, self.identity()):
                raise WrongCluster(refusal)
            self._record = {}  # once checked, it stays that cluster
        return self._ask(method, path, body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | list[dict[str, Any]] | None) -> Any:
        if self._client is None:
            raise Unreachable(f"The kubeconfig {self._source} does not point to a cluster: it has no context")
        configuration = self._client.configuration
        headers = {"Accept": "application/json, */*", "User-Agent": "berth", **self._credentials()}
        if body is not None:
            headers["Content-Type"] = CONTENT[isinstance(body, list)] if method == "PATCH" else "application/json"
        try:
            return self._client.rest_client.pool_manager.request(
                method,
                configuration.host + path,
                headers=headers,
                body=encoded(body) if body is not None else None,
                timeout=urllib3.Timeout(connect=5, read=30),
                retries=False,
            )
        except urllib3.exceptions.SSLError as error:
            raise KubeError(f"The certificate of the API server {configuration.host} does not match {self._source}: {error}") from error
        except urllib3.exceptions.ProxyError as error:
            host = urlsplit(configuration.host).hostname or configuration.host
            raise Unreachable(f"The API server {configuration.host} does not answer. {proxies.blamed(os.environ, host)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"The API server {configuration.host} does not answer: {error}") from error


def beyond_escapes(body: Any) -> bool:
    """Whether content has characters that JSON writes as two escapes, such as emoji."""
    return any(ord(character) > 0xFFFF for character in json.dumps(body, ensure_ascii=False))


def encoded(body: dict[str, Any] | list[dict[str, Any]]) -> bytes:
    """Return a request's body as JSON that is also valid YAML, since the API server reads an apply as YAML.

    JSON writes a character beyond U+FFFF as two escapes, which YAML does not combine (yaml.org/spec/1.2.2, 5.7), so such a character is not escaped.

    >>> encoded({"a": "\U0001f5f3"}).decode() == '{"a": "\U0001f5f3"}'
    True
    """
    return ESCAPE.sub(
        lambda found: bytes.fromhex(found[1] + found[2]).decode("utf-16-be") if found[1] else found[0],
        json.dumps(body),
    ).encode()


def read_or_make[T](
    kubeconfig: str, context: str, check: bool, read: Callable[[Cluster], T], make: Callable[[Cluster], T] | None, nothing: T
) -> tuple[T, bool]:
    """Return what an object of the cluster contains, and whether it was created, or would be in check mode.

    Args:
        kubeconfig: Path of the cluster's kubeconfig; in check mode it may be missing.
        context: A context in it, "" for its current one.
        check: Whether nothing may be created; the cluster then need not answer either.
        read: Returns what the object contains; raises NotFound if there is none.
        make: Creates the object and returns what it contains; None to leave it missing.
        nothing: What to return for a missing object.

    Raises:
        Unreachable, KubeError: As described in those classes.
    """
    if check and not Path(kubeconfig).exists():
        return nothing, make is not None
    try:
        cluster = Cluster(kubeconfig, context or None)
        return read(cluster), False
    except NotFound:
        return (make(cluster), True) if make and not check else (nothing, make is not None)
    except Unreachable:
        if not check:
            raise
        return nothing, make is not None
