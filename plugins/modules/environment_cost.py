"""The documentation of plugins/action/environment_cost.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: environment_cost
short_description: Say what an environment in AWS costs
description:
  - Calculates by the inventory of the host and by the prices of its region, which the project keeps in a file. AWS is not asked.
  - What the inventory leaves out is taken from the roles' defaults, what it cannot say is assumed and told.
  - Fails with one message where it names a type, a class, a version or a region without a price.
options:
  budget: {description: "USD a month, to compare with.", type: int}
  today: {description: "The day of the calculation, as 2027-03-27. By default the present one; a version's standard support ends some day.",
    type: str, default: ""}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Calculate what the environment costs
  berth.platform.environment_cost:
    budget: 800
  register: __cost
"""

RETURN = """
text: {description: "The bill as a table, at most 88 columns wide.", type: str, returned: success}
least: {description: "USD a month with the fewest nodes and the storage of the beginning.", type: float, returned: success}
most: {description: "USD a month with the most nodes and storage that the inventory allows.", type: float, returned: success}
items: {description: "name, least and most (USD a month) and the variable that changes it, of each item.", type: list, elements: dict, returned: success}
"""
