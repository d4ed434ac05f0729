"""Credentials for this machine's registry."""

from __future__ import annotations

DOCUMENTATION = """
module: registry_credential
short_description: Generate the credentials for the loopback registry
description:
  - Any user of the machine can connect to a port on 127.0.0.1, so the registry requires a password that only root can read.
  - Writes the password, its hash for the registry, and containerd's configuration for pulling. An existing password is kept.
options:
  directory: {description: Where the files of the password are., type: path, required: true}
  registry: {description: "The registry, C(host:port).", type: str, required: true}
  hosts: {description: "The directory in which containerd looks for its registries (C(config_path)).", type: path, required: true}
attributes:
  check_mode: {support: full, description: "Writes nothing; returns the password that is there, if any."}
"""

EXAMPLES = """
- name: Generate the credentials
  berth.platform.registry_credential:
    directory: /var/lib/berth/registry/berth
    registry: localhost:5001
    hosts: /var/lib/berth/containerd/certs.d
  no_log: true
  register: login
"""

RETURN = """
username: {description: "Who logs in, empty where there is nobody yet.", type: str, returned: always}
password: {description: With which password., type: str, returned: always}
"""

import base64
import secrets
from pathlib import Path

import bcrypt
from ansible.module_utils.basic import AnsibleModule

USERNAME = "berth"
# The password is random, so there is nothing to slow down for who guesses, and the registry computes this hash for each request.
ROUNDS = 4


def hosts_toml(registry: str, password: str) -> str:
    """Return how containerd reaches a registry (``host:port``) and logs in to it.

    https://github.com/containerd/containerd/blob/main/docs/hosts.md
    """
    address = f"http://{registry.replace('localhost', '127.0.0.1')}"
    basic = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
    host = f'[host."{address}"]\n  capabilities = ["pull", "resolve"]\n  [host."{address}".header]\n    Authorization = "Basic {basic}"\n'
    return f'server = "{address}"\n{host}'


def lets_in(line: str, password: str) -> bool:
    """Whether a line of a password file (htpasswd) has this password's hash."""
    user, _, digest = line.strip().partition(":")
    try:
        return user == USERNAME and bcrypt.checkpw(password.encode(), digest.encode())
    except ValueError:
        return False


def text(path: Path) -> str:
    """Return what a file has, empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "registry": {"type": "str", "required": True},
            "hosts": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    directory, registry = Path(module.params["directory"]), module.params["registry"]
    kept, hashed, hosts = directory / "password", directory / "htpasswd", Path(module.params["hosts"], registry, "hosts.toml")
    try:
        known = text(kept)
        password = known or secrets.token_urlsafe(32)
        wanted = {kept: password, hosts: hosts_toml(registry, password)}
        if not lets_in(text(hashed), password):
            wanted[hashed] = f"{USERNAME}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode()}\n"
        differs = {path: content for path, content in wanted.items() if text(path) != content}
        if not module.check_mode:
            for path, content in differs.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                half = path.with_name(f".{path.name}.half")
                half.unlink(missing_ok=True)
                half.touch(0o600, exist_ok=False)
                half.write_text(content, encoding="utf-8")
                half.replace(path)
    except OSError as error:
        module.fail_json(msg=f"The credentials for the registry {registry} cannot be written: {error}.")
    password = known if module.check_mode else password
    module.exit_json(changed=bool(differs), username=USERNAME if password else "", password=password)


if __name__ == "__main__":
    main()
