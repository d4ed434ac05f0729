"""The documentation of plugins/action/inventory_new.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: inventory_new
short_description: Write the first inventory of a Django project
description:
  - Reads the project, without running anything of it, and writes an inventory with what its files say, a comment where that is a guess,
    and a placeholder for what nobody but its owner knows, which preflight names.
  - Writes only variables that C(specification) has. What cannot be said by them is a comment.
  - An inventory that is there is left alone.
options:
  source: {description: "The project, a directory, or the address of a Git repository, of which the default branch is read.", type: str, required: true}
  environment: {description: "The environment's name, which is its namespace's, too.", type: str, required: true}
  directory: {description: Where inventories are., type: path, required: true}
  specification: {description: The argument specification that has all variables., type: path, required: true}
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
directory: {description: "The inventory, relative to the directory of the run where it is in it.", type: str, returned: success}
asked: {description: Environment variables of the app that have a placeholder., type: list, elements: str, returned: success}
said: {description: "What is left to do, a line each, the command to run the last.", type: list, elements: str, returned: success}
lacking: {description: "Lines that the project's settings lack.", type: list, elements: str, returned: success}
"""
