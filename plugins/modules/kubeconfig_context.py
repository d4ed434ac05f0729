"""A named context in a user's kubeconfig, and nothing else in it."""

from __future__ import annotations

DOCUMENTATION = """
module: kubeconfig_context
short_description: Add an environment's cluster to a kubeconfig as a named context, or remove it
description:
  - Adds a cluster, a user and a context of one name, marked as Berth's. The current context and all other entries stay as they are.
  - Refuses a name that anything else has, so that no context ever points elsewhere than its owner expects.
  - The file is replaced as a whole, keeps its order and is readable only by its owner. The previous file is kept next to it.
    As after C(kubectl config), comments are lost.
options:
  state: {description: Whether the context has to exist., type: str, choices: [present, absent], default: present}
  path: {description: The kubeconfig to change., type: path, required: true}
  name: {description: The context's name., type: str, required: true}
  environment: {description: "The environment that the context belongs to. Another one's context is left alone.", type: str, required: true}
  source: {description: "The environment's own kubeconfig, whose current context is used. Needed if O(state=present).", type: path}
  namespace: {description: The context's namespace., type: str, default: ""}
attributes:
  check_mode: {support: full, description: Reports what would change.}
  diff_mode: {support: none, description: The file contains keys.}
"""

EXAMPLES = """
- name: Let kubectl reach the environment by name
  berth.platform.kubeconfig_context:
    path: ~/.kube/config
    name: polls-dev
    environment: dev
    source: .cache/dev/kubeconfig
    namespace: polls-dev
"""

RETURN = """
path: {description: "The file, after following links.", type: str, returned: always}
backup: {description: "The copy of the previous file, empty if the file was not changed or did not exist.", type: str, returned: always}
was_current: {description: Whether a removed context is still the file's current one., type: bool, returned: always}
"""

import contextlib
import copy
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml
from ansible.module_utils.basic import AnsibleModule

MARK = "berth"
LISTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
LOCK_TIMEOUT = 5.0  # seconds that another program gets to finish with the file
FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class Refused(Exception):
    """The file is not changed; the text is for the user."""


class Loader(yaml.SafeLoader):
    """Reads a kubeconfig, and keeps times as text."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(path: Path) -> dict[str, Any]:
    """Return a kubeconfig as data; an empty one if the file does not exist.

    Raises:
        Refused: It is not a kubeconfig.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except FileNotFoundError:
        content = None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refused(f"{path} is not YAML, so it is left as it is: {' '.join(str(error).split())}") from error
    content = content or {}
    if not isinstance(content, dict) or not all(isinstance(content.get(kind) or [], list) for kind in LISTS):
        raise Refused(f"{path} is not a kubeconfig, so it is left as it is.")
    return content


def entry(config: dict[str, Any], kind: str, name: str) -> dict[str, Any] | None:
    """Return the entry of that name in one of the lists."""
    return next((each for each in config.get(kind) or [] if each.get("name") == name), None)


def owner(context: dict[str, Any] | None) -> str:
    """Return the environment that a context belongs to, empty for one that Berth did not write."""
    for extension in ((context or {}).get("context") or {}).get("extensions") or []:
        if extension.get("name") == MARK:
            return str((extension.get("extension") or {}).get("environment", ""))
    return ""


def wanted(source: Path, name: str, environment: str, namespace: str) -> dict[str, dict[str, Any]]:
    """Return the three entries that point where the current context of ``source`` points.

    Raises:
        Refused: The source is missing or points nowhere.
    """
    if not source.is_file():
        raise Refused(f"There is no kubeconfig {source}, so there is no cluster to name yet. Run site.yml.")
    config = load(source)
    context = (entry(config, "contexts", str(config.get("current-context"))) or {}).get("context") or {}
    found = {kind: entry(config, f"{kind}s", context.get(kind, "")) for kind in ("cluster", "user")}
    if not found["cluster"] or not found["user"]:
        raise Refused(f"{source} has no current context that names a cluster and a user. Write it again with playbooks/cluster.yml.")
    cluster, user = (_absolute((found[kind] or {})[kind] or {}, source.parent) for kind in ("cluster", "user"))
    mark = [{"name": MARK, "extension": {"environment": environment}}]
    return {
        "clusters": {"name": name, "cluster": cluster},
        "users": {"name": name, "user": user},
        "contexts": {"name": name, "context": {"cluster": name, "user": name, **({"namespace": namespace} if namespace else {}), "extensions": mark}},
    }


def _absolute(values: dict[str, Any], directory: Path) -> dict[str, Any]:
    """Return a cluster's or a user's settings, with paths that are relative to their file made absolute."""
    return {key: str((directory / value).resolve()) if key in FILES and value else value for key, value in copy.deepcopy(values).items()}


def refuse_foreign(config: dict[str, Any], path: Path, name: str, environment: str) -> None:
    """Refuse a name that does not belong to this environment.

    Raises:
        Refused: It belongs to another one.
    """
    context = entry(config, "contexts", name)
    mine = owner(context)
    if context and not mine:
        raise Refused(f"{path} has a context {name} that Berth did not write, so it is left as it is. Choose another name.")
    if context and mine != environment:
        raise Refused(f"The context {name} in {path} is that of the environment {mine}. Choose another name, or take that one out first.")
    for kind in ("clusters", "users"):
        key = LISTS[kind]
        users = [each.get("name") for each in config.get("contexts") or [] if (each.get("context") or {}).get(key) == name and each.get("name") != name]
        if users:
            raise Refused(f"The {key} {name} in {path} is used by the context {users[0]} too, so it is left as it is. Choose another name.")
        if not context and entry(config, kind, name):
            raise Refused(f"{path} has a {key} {name} that Berth did not write, so it is left as it is. Choose another name.")


def present(config: dict[str, Any], entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the kubeconfig with the entries, each in its old place or at the end."""
    changed = {**{"apiVersion": "v1", "kind": "Config"}, **copy.deepcopy(config)}
    for kind, new in entries.items():
        known = changed.get(kind) or []
        there = any(each.get("name") == new["name"] for each in known)
        changed[kind] = [new if each.get("name") == new["name"] else each for each in known] + ([] if there else [new])
    return changed


def absent(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the kubeconfig without the entries of that name."""
    return {key: [each for each in value if each.get("name") != name] if key in LISTS and value else value for key, value in config.items()}


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock file that kubectl takes too (k8s.io/client-go/tools/clientcmd/config.go, lockFile).

    Raises:
        Refused: Another program has held it for LOCK_TIMEOUT.
    """
    held = path.with_name(f"{path.name}.lock")
    end = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            os.close(os.open(held, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError as error:
            if time.monotonic() > end:
                raise Refused(f"Another program holds {held}. Remove that file if none is at work.") from error
            time.sleep(0.1)
    try:
        yield
    finally:
        held.unlink(missing_ok=True)


def write(path: Path, config: dict[str, Any]) -> None:
    """Replace the file as a whole; only its owner can read it."""
    descriptor, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp: mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file, sort_keys=False, allow_unicode=True)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            status = path.stat()
            with contextlib.suppress(PermissionError):
                os.chown(half, status.st_uid, status.st_gid)
        os.replace(half, path)
    except BaseException:
        Path(half).unlink(missing_ok=True)
        raise


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "source": {"type": "path"},
            "namespace": {"type": "str", "default": ""},
        },
        required_if=[("state", "present", ["source"])],
        supports_check_mode=True,
    )
    name, environment, state = (module.params[key] for key in ("name", "environment", "state"))
    path = Path(os.path.realpath(module.params["path"]))
    backup = ""
    try:
        if not module.check_mode and (state == "present" or path.parent.is_dir()):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            held: contextlib.AbstractContextManager[None] = lock(path)
        else:
            held = contextlib.nullcontext()
        with held:
            config = load(path)
            if state == "present":
                entries = wanted(Path(module.params["source"]), name, environment, module.params["namespace"])
                refuse_foreign(config, path, name, environment)
                new = present(config, entries)
            else:
                if entry(config, "contexts", name):
                    refuse_foreign(config, path, name, environment)
                new = absent(config, name) if entry(config, "contexts", name) else config
            changed = new != config
            if changed and not module.check_mode:
                backup = module.backup_local(str(path)) if path.exists() else ""
                write(path, new)
    except (Refused, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=str(path), backup=backup, was_current=state == "absent" and changed and config.get("current-context") == name)


if __name__ == "__main__":
    main()
