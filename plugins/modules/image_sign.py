"""Sign an image in its registry."""

from __future__ import annotations

DOCUMENTATION = """
module: image_sign
short_description: Sign an image in its registry with cosign
description:
  - Signs the digest with a private key, unless the record says that this key has signed it and the registry still has a signature.
  - Writes nothing to Sigstore's public log. C(cosign verify --key cosign.pub --insecure-ignore-tlog=true) checks the signature.
options:
  registry: {description: "The registry, C(host[:port][/path]).", type: str, required: true}
  username: {description: The user name for the registry., type: str, default: ""}
  password: {description: The password for the registry., type: str, default: ""}
  repository: {description: The repository in the registry., type: str, required: true}
  digest: {description: "The image's digest; empty in check mode before it is built.", type: str, required: true}
  key: {description: The private key from C(cosign generate-key-pair)., type: path, required: true}
  key_password: {description: "The key's password, which is passed to cosign in its environment.", type: str, default: ""}
  record: {description: The file that records which key has signed., type: path, required: true}
attributes:
  check_mode: {support: full, description: "Says whether it would sign, but does nothing."}
"""

EXAMPLES = """
- name: Sign the image
  berth.platform.image_sign:
    registry: ghcr.io/acme
    repository: polls
    digest: "{{ image_facts.digest }}"
    key: ~/cosign.key
    key_password: "{{ vault_signing_password }}"
    record: ~/.cache/berth/sboms/polls/content-12.signed
"""

RETURN = """
signed: {description: "What was signed, C(repository@digest).", type: str, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import signature
from ..module_utils.image.registry import ImageError, Registry


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "str", "required": True},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "repository": {"type": "str", "required": True},
            "digest": {"type": "str", "required": True},
            "key": {"type": "path", "required": True, "no_log": False},
            "key_password": {"type": "str", "default": "", "no_log": True},
            "record": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options, record = module.params, Path(module.params["record"])
    name = f"{options['registry']}/{options['repository']}@{options['digest']}"
    if module.check_mode and not options["digest"]:
        module.exit_json(changed=True, signed=name, msg="the image will be signed once it is pushed")
    registry = Registry(options["registry"], username=options["username"], password=options["password"])
    try:
        there = signature.signed(registry, options["repository"], options["digest"], options["key"], record)
        if not there and not module.check_mode:
            signature.sign(registry, options["repository"], options["digest"], options["key"], options["key_password"], record)
    except (ImageError, OSError) as error:
        module.fail_json(msg=f"{name} is not signed, so it is not released: {error}", signed="")
    module.exit_json(changed=not there, signed=name)


if __name__ == "__main__":
    main()
