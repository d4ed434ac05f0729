"""The documentation of plugins/action/environment_cost.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: environment_cost
short_description: Calculate what an environment in AWS costs
description:
  - Calculates the cost from the host's inventory and the prices of its region, which the project keeps in a file. Does not ask AWS.
  - Uses the roles' defaults for what the inventory omits. States its assumptions about what the inventory cannot say.
  - Fails with one message if the inventory names a type, class, version or region without a price.
options:
  budget: {description: "The budget in USD a month.", type: int}
  today: {description: "The date of the calculation, such as 2027-03-27; by default today. It decides whether a version has standard support.",
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
least: {description: "USD a month with the fewest nodes and the initial storage.", type: float, returned: success}
most: {description: "USD a month with the most nodes and storage that the inventory allows.", type: float, returned: success}
items: {description: "name, least and most (USD a month) and the variable that changes it, of each item.", type: list, elements: dict, returned: success}
"""
