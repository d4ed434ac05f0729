"""Apply objects if that changes anything. The documentation is in plugins/modules/k8s_apply.py."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ..module_utils.kube import apply, identity, ownership, refusals, trial
from ..module_utils.kube import fixed as fixed_fields
from ..module_utils.kube.client import CLUSTER_SCOPED, Changed, Cluster, KubeError, NotFound, UnknownKind, Unreachable, beyond_escapes, kind_of
from ..module_utils.kube.refusals import title
from ..module_utils.kube.trial import Trial
from ..plugin_utils import own_objects
from ..plugin_utils.inventory.locate import Inventory

PROJECT = Path(__file__).resolve().parents[2]
ATTEMPTS = 5
"""How often to read an object again that something else is changing at the same time."""

ARGUMENTS = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str", "default": ""},
    "namespace": {"type": "str", "required": True},
    "templates": {"type": "list", "elements": "str", "default": []},
    "adopt": {"type": "bool", "default": False},
    "take_over": {"type": "bool", "default": False},
    "files": {"type": "list", "elements": "path", "default": []},
    "app": {"type": "str", "default": ""},
    "names": {"type": "dict", "default": {}},
}


class Dumper(yaml.SafeDumper):
    """Writes repeated values in full, as the API server does."""

    def ignore_aliases(self, data: Any) -> bool:
        """Use no anchors."""
        return True


def shown(item: dict[str, Any]) -> str:
    """Return an object as YAML."""
    return yaml.dump(item, Dumper=Dumper, allow_unicode=True)


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Apply what differs and return the live objects."""
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        environment = (task_vars or {}).get("inventory_hostname", "")
        inventory = Inventory.of(task_vars or {}, self._loader, Path(__file__).resolve().parents[2])
        if owner := identity.belongs_elsewhere(arguments["kubeconfig"], environment):
            return result | {"failed": True, "msg": self._not_ours(arguments["kubeconfig"], owner, inventory)}
        # Convert Ansible's own string types, which only its own code knows, to plain strings.
        wanted = json.loads(json.dumps(self._objects(arguments) + self._own(arguments), default=str))
        try:
            cluster = self._cluster(arguments)
            if cluster and arguments["files"]:
                self._refuse_unknown(cluster, wanted)
            live = self._live(cluster, wanted)
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        foreign = [title(item) for item, there in zip(wanted, live, strict=True) if apply.foreign(item, there)]
        if foreign and not arguments["adopt"]:
            return result | {"failed": True, "msg": self._refusal(foreign, arguments["namespace"], inventory)}
        fixed = [problem for item, there in zip(wanted, live, strict=True) for problem in fixed_fields.problems(item, there)]
        if fixed:
            return result | {"failed": True, "msg": fixed_fields.message(fixed, inventory.locate)}
        try:
            trials = self._trials(cluster, wanted, live, arguments)
        except KubeError as error:
            return result | {"failed": True, "msg": str(error)}
        if taken := [(trial.wanted, trial.conflicts) for trial in trials if trial.conflicts]:
            return result | {"failed": True, "msg": refusals.conflict(taken, arguments["namespace"])}
        if not self._task.check_mode and (refused := trial.refused(trials)):
            text = refusals.describe(json.dumps(refused.refusal), [refused.wanted], arguments["namespace"], applied=False)
            return result | {"failed": True, "msg": f"{text}\nThis step changed nothing."}
        changing = [trial for trial in trials if trial.changes]
        answer = self._tried(changing, arguments) if self._task.check_mode else self._apply(cluster, arguments, changing, task_vars or {})
        if answer.get("failed"):
            return result | answer
        made = {title(item): item for item in answer["objects"]}
        live = [made.get(title(item), there) for item, there in zip(wanted, live, strict=True)]
        return result | {
            "changed": bool(changing),
            "applied": [title(trial.wanted) for trial in changing],
            "names": [{"kind": kind_of(item), "name": item["metadata"]["name"]} for item in wanted],
            "objects": [apply.visible(item) for item in live if item],
            "diff": [self._diff(trial, made.get(title(trial.wanted))) for trial in changing] if self._task.diff else [],
        }

    def _objects(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Render the templates into objects with a namespace. The lookup ``template`` does the same, but copies every variable for each file."""
        found = []
        for name in arguments["templates"]:
            text = trust_as_template(self._loader.get_text_file_contents(self._find_needle("templates", name)))
            rendered = self._templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True})
            try:
                found += apply.flatten(apply.documents(rendered))
            except ValueError as error:
                raise AnsibleActionFail(f"The template {name} does not produce Kubernetes objects: {error}") from None
        for item in found:
            if item["kind"] not in CLUSTER_SCOPED:
                item["metadata"].setdefault("namespace", arguments["namespace"])
        return found

    def _own(self, arguments: dict[str, Any]) -> list[dict[str, Any]]:
        """Read the project's own manifests into objects with a namespace and labels."""
        found: list[dict[str, Any]] = []
        for path in arguments["files"]:
            text = self._loader.get_text_file_contents(path)
            if path.endswith(own_objects.TEMPLATE):
                text = self._templar.template(trust_as_template(text), escape_backslashes=False, overrides={"trim_blocks": True})
            try:
                objects = own_objects.of_text(text)
            except ValueError as error:
                raise AnsibleActionFail(f"{path} does not contain Kubernetes objects: {error}.") from None
            for item in objects:
                if wrong := own_objects.problem(item, arguments["namespace"], arguments["app"], arguments["names"]):
                    raise AnsibleActionFail(f"{path}: {wrong}. Nothing of it was applied.")
                if any((item["kind"], item["metadata"]["name"]) == (other["kind"], other["metadata"]["name"]) for other in found):
                    raise AnsibleActionFail(f"{path}: {title(item)} is defined twice. Nothing of it was applied.")
                item["metadata"].setdefault("namespace", arguments["namespace"])
                found.append(own_objects.prepared(item, arguments["app"]))
        return found

    def _refuse_unknown(self, cluster: Cluster, wanted: list[dict[str, Any]]) -> None:
        """Refuse the project's own objects of a kind that the cluster does not serve or that is not namespaced. A check skips this if the cluster is silent."""
        for item in wanted:
            try:
                _plural, namespaced = cluster.resource(kind_of(item))
            except UnknownKind as error:
                way = "Install what provides it, or remove the object from berth_app_objects"
                raise AnsibleActionFail(f"{title(item)} cannot be created. {error}. {way}.") from None
            except Unreachable:
                if self._task.check_mode:
                    return
                raise
            if not namespaced:
                raise AnsibleActionFail(f"{title(item)} is not namespaced, so it is not part of the app; apply it with kubectl. Nothing of it was applied.")

    def _cluster(self, arguments: dict[str, Any]) -> Cluster | None:
        """Return the API server; in check mode None if there is no kubeconfig yet."""
        if self._task.check_mode and not Path(arguments["kubeconfig"]).exists():
            return None
        return Cluster(arguments["kubeconfig"], arguments["context"] or None)

    def _live(self, cluster: Cluster | None, wanted: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
        """Read each object, None if it does not exist, or in check mode if no cluster answers yet."""
        if cluster is None:
            return [None] * len(wanted)
        found: list[dict[str, Any] | None] = []
        for item in wanted:
            try:
                found.append(cluster.get(kind_of(item), item["metadata"].get("namespace", ""), item["metadata"]["name"]))
            except NotFound:
                found.append(None)
            except Unreachable:
                if not self._task.check_mode:
                    raise
                return [None] * len(wanted)
        return found

    def _trials(self, cluster: Cluster | None, wanted: list[dict[str, Any]], live: list[dict[str, Any] | None], arguments: dict[str, Any]) -> list[Trial]:
        """Dry-run the objects that may be rejected; in check mode also the new ones, if their namespace exists."""
        tells = self._task.check_mode and None in live and self._namespace_is_there(cluster, arguments["namespace"])
        force = arguments["take_over"] or arguments["adopt"]
        real = not self._task.check_mode  # in a check the cluster may not answer
        return [
            trial.attempt(cluster, item, there, force) if cluster and (there or tells or (real and trial.may_be_taken(item))) else Trial(item, there)
            for item, there in zip(wanted, live, strict=True)
        ]

    def _tried(self, changing: list[Trial], arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the objects as they would be, or the failure if the API server would reject one."""
        if refused := next((trial.refusal for trial in changing if trial.refusal), None):
            message = refusals.describe(json.dumps(refused), [trial.wanted for trial in changing], arguments["namespace"], applied=False)
            return {"failed": True, "msg": message}
        return {"objects": [trial.after for trial in changing if trial.after]}

    def _apply(self, cluster: Cluster | None, arguments: dict[str, Any], changing: list[Trial], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Pass the objects that change to kubernetes.core.k8s; return the live ones, or the failure."""
        if not cluster or not changing:
            return {"objects": []}
        try:
            for each in changing:
                if each.live and each.patch:
                    self.hand_over(cluster, each.wanted, each.live)
            self.remove_autoscalers(cluster, [each.wanted for each in changing if ownership.takes_back_replicas(each.wanted, each.live)])
        except KubeError as error:
            return {"failed": True, "msg": str(error)}
        found: list[dict[str, Any]] = []
        for (force, beyond), group in itertools.groupby(changing, lambda each: (each.force, beyond_escapes(each.wanted))):
            sent = [each.wanted for each in group]
            answer = self._write_here(cluster, sent, force) if beyond else self._write(arguments, sent, force, task_vars)
            if answer.get("failed"):
                tried = [each.wanted for each in changing[: len(found) + len(sent)]]
                return {"failed": True, "msg": refusals.describe(answer.get("msg", "no reason was given"), tried, arguments["namespace"])}
            results = answer["result"]
            found += [item["result"] for item in results["results"]] if "results" in results else [results]
        return {"objects": found}

    def _write(self, arguments: dict[str, Any], objects: list[dict[str, Any]], force: bool, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Have kubernetes.core.k8s apply objects by server-side apply, and return its result."""
        module_arguments = {
            "kubeconfig": arguments["kubeconfig"],
            **({"context": arguments["context"]} if arguments["context"] else {}),
            "resource_definition": objects,
            "apply": True,
            "server_side_apply": {"field_manager": ownership.MANAGER, "force_conflicts": force},
        }
        # The arguments may contain Secrets: the module must not log them, and the caller cleans its result.
        secret, self._task.no_log = self._task.no_log, True
        try:
            return self._execute_module("kubernetes.core.k8s", module_args=module_arguments, task_vars=task_vars)
        finally:
            self._task.no_log = secret

    @staticmethod
    def _write_here(cluster: Cluster, objects: list[dict[str, Any]], force: bool) -> dict[str, Any]:
        """Apply objects that kubernetes.core.k8s cannot, because its client escapes emoji in a way that YAML rejects; return the same result."""
        done = []
        try:
            for each in objects:
                metadata = each["metadata"]
                result = cluster.apply(kind_of(each), metadata.get("namespace", ""), metadata["name"], each, ownership.MANAGER, force)
                done.append({"result": result})
        except KubeError as error:
            return {"failed": True, "msg": str(error)}
        return {"result": {"results": done}}

    @staticmethod
    def hand_over(cluster: Cluster, wanted: dict[str, Any], live: dict[str, Any]) -> None:
        """Transfer the ownership of Berth's fields of an object to server-side apply, while controllers may write to it.

        Raises:
            KubeError: It cannot be changed, or something else keeps changing it.
        """
        kind, namespace, name = kind_of(wanted), wanted["metadata"].get("namespace", ""), wanted["metadata"]["name"]
        for left in reversed(range(ATTEMPTS)):
            try:
                if patch := ownership.handover(wanted, live):
                    cluster.patch(kind, namespace, name, patch)
                return
            except Changed:
                if not left:
                    raise
                live = cluster.get(kind, namespace, name)

    @staticmethod
    def remove_autoscalers(cluster: Cluster, scaled: list[dict[str, Any]]) -> None:
        """Remove our autoscalers of workloads that now have a fixed number of pods: they would keep scaling them.

        Raises:
            KubeError: They cannot be read or removed.
        """
        for item in scaled:
            namespace = item["metadata"]["namespace"]
            for each in apply.autoscalers_of(item, cluster.items("HorizontalPodAutoscaler", namespace)):
                if not apply.foreign(item, each):
                    cluster.delete("HorizontalPodAutoscaler", namespace, each["metadata"]["name"], each["metadata"]["uid"], "Background")

    def _namespace_is_there(self, cluster: Cluster | None, name: str) -> bool:
        if cluster is None:
            return False
        try:
            cluster.get("Namespace", "", name)
        except (NotFound, Unreachable):
            return False
        return True

    def _diff(self, trial: Trial, made: dict[str, Any] | None) -> dict[str, Any]:
        # A new object is shown as in the template, an existing one as the API server would store it.
        before, after = apply.difference(trial.live, made if trial.live and made else trial.wanted)
        return {
            "before_header": title(trial.wanted),
            "after_header": title(trial.wanted),
            "before": shown(before) if before else "",
            "after": shown(after),
        }

    def _not_ours(self, kubeconfig: str, owner: str, inventory: Inventory) -> str:
        return (
            f"{kubeconfig} is the kubeconfig of the environment {owner}, so it is not used for {inventory.host}. "
            f"Set berth_kubeconfig in {inventory.where_set('berth_kubeconfig')} to another path."
        )

    def _refusal(self, foreign: list[str], namespace: str, inventory: Inventory) -> str:
        return (
            f"Not Berth's, so not changed, in namespace {namespace}: {', '.join(foreign)}. "
            "The labels app.kubernetes.io/managed-by and app.kubernetes.io/instance that Berth sets are missing or different. "
            f"Set berth_namespace ({inventory.where_set('berth_namespace')}) or berth_app_name ({inventory.where_set('berth_app_name')}) "
            "to a name of your own, or remove or label the objects."
        )
