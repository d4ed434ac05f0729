"""The documentation of plugins/action/inventory_new.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: inventory_new
short_description: Write the first inventory of a Django project
description:
  - Reads the project without running any of its code, and writes an inventory from its files, with a comment for each guess
    and a placeholder for each value that only the project's owner knows. Preflight reports the placeholders.
  - Writes only variables in C(specification). Everything else is a comment.
  - Leaves an existing inventory alone.
options:
  source: {description: "The project's directory, or the address of a Git repository, whose default branch is read.", type: str, required: true}
  environment: {description: "The name of the environment and of its namespace.", type: str, required: true}
  directory: {description: The directory of inventories., type: path, required: true}
  specification: {description: The argument specification with all variables., type: path, required: true}
attributes:
  check_mode: {support: full, description: Says what it would write.}
  diff_mode: {support: full, description: Shows the files.}
"""

EXAMPLES = """
- name: Write the inventory of a shop
  berth.platform.inventory_new:
    source: ../shop
    environment: shop-dev
    directory: inventories
    specification: roles/preflight/meta/argument_specs.yml
"""

RETURN = """
directory: {description: "The inventory, relative to the current directory if it is inside it.", type: str, returned: success}
asked: {description: Environment variables of the app that have a placeholder., type: list, elements: str, returned: success}
said: {description: "What is left to do, a line each. The last one is the command to run.", type: list, elements: str, returned: success}
lacking: {description: "Changes that the project needs, one per line.", type: list, elements: str, returned: success}
"""
