"""Check out a Git repository."""

from __future__ import annotations

DOCUMENTATION = """
module: git_checkout
short_description: Check out the Git repository that an image is built from
description:
  - Fetches a single commit, and only if the branch or tag points to another one than before. Includes submodules.
  - Runs nothing from the repository, and never prompts. Logins come from this user's own configuration of git and SSH.
  - The directory is a cache. Changes made in it by hand are lost when another commit is fetched.
options:
  repository: {description: "The repository's address, C(https://), C(ssh://), C(file://) or C(git@host:path).", type: str, required: true}
  version: {description: "A branch, a tag or a full commit ID; empty for the repository's default branch.", type: str, default: ""}
  commit:
    description: The commit that an earlier step of the run has checked; empty for the one that C(version) points to now.
    type: str
    default: ""
  directory: {description: The checkout. The module owns everything next to it, too., type: path, required: true}
attributes:
  check_mode: {support: full, description: "Checks out as usual, because the directory is a cache."}
"""

EXAMPLES = """
- name: Fetch the source
  berth.platform.git_checkout:
    repository: https://git.example.com/acme/shop.git
    version: main
    directory: ~/.cache/berth/sources/0123456789abcdef/shop
"""

RETURN = """
commit: {description: The commit that is checked out., type: str, returned: always}
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
