"""Have a checkout of a repository."""

from __future__ import annotations

DOCUMENTATION = """
module: git_checkout
short_description: Have the checkout of a Git repository that an image is built from
description:
  - Fetches no more than the one commit, and only where the branch or tag leads to another one than before. Submodules are on.
  - Nothing that the repository brings is run. It asks no question; this user's own configuration of git and SSH says how a login is known.
  - The directory is a cache. What was changed in it by hand goes when another commit is fetched.
options:
  repository: {description: "Its address, C(https://), C(ssh://), C(file://) or C(git@host:path).", type: str, required: true}
  version: {description: "A branch, a tag or a whole commit; empty for the repository's default branch.", type: str, default: ""}
  commit:
    description: The one that has to be there, which an earlier step of the run has looked at; empty for the one that C(version) leads to now.
    type: str
    default: ""
  directory: {description: The checkout. What lies beside it is the module's own., type: path, required: true}
attributes:
  check_mode: {support: full, description: "The same: it is a cache."}
"""

EXAMPLES = """
- name: Fetch the source
  berth.platform.git_checkout:
    repository: https://git.example.com/acme/shop.git
    version: main
    directory: ~/.cache/berth/sources/0123456789abcdef/shop
"""

RETURN = """
commit: {description: The commit whose files are there., type: str, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image.checkout import Checkout
from ..module_utils.image.registry import ImageError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "version": {"type": "str", "default": ""},
            "commit": {"type": "str", "default": ""},
            "directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        commit = Checkout(options["repository"], options["version"], Path(options["directory"])).update(options["commit"])
    except (ImageError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, commit=commit)


if __name__ == "__main__":
    main()
