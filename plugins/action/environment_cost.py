"""Calculate what an environment in AWS costs. The documentation is in plugins/modules/environment_cost.py."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ..plugin_utils.inventory import cost
from ..plugin_utils.inventory.locate import Inventory
from ..plugin_utils.inventory.variables import Problem, types

ARGUMENTS = {"budget": {"type": "int"}, "today": {"type": "str", "default": ""}}
PROJECT = Path(__file__).resolve().parents[2]
SPECIFICATION = "roles/preflight/meta/argument_specs.yml"


class ActionModule(ActionBase):
    """The action plugin."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the bill as text and data, or one message with the reason why there is none."""
        result, variables = super().run(tmp, task_vars), task_vars or {}
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            today = date.fromisoformat(arguments["today"]) if arguments["today"] else datetime.now(UTC).date()
        except ValueError:
            return result | {"failed": True, "msg": f"today must be a date like 2027-03-27, but is {arguments['today']!r}."}
        if problems := self._wrong(variables):
            return result | {"failed": True, "msg": "\n".join(self._line(problem, variables) for problem in problems)}
        try:
            found = cost.bill(PROJECT, self._loader, self._templar, variables, today)
        except cost.CostError as error:
            advice = error.advice(Inventory.of(variables, self._loader, PROJECT).source())
            return result | {"failed": True, "msg": self._line(Problem(error.path, f"{error.text}{advice}"), variables)}
        items = [{"name": i.name, "least": float(i.least), "most": float(i.most), "variable": i.variable} for i in found.items]
        return result | {
            "changed": False,
            "text": cost.text(variables["inventory_hostname"], found, arguments["budget"]),
            "least": float(found.least),
            "most": float(found.most),
            "items": items,
        }

    def _wrong(self, variables: dict[str, Any]) -> list[Problem]:
        """Return values with a wrong type. Preflight, which checks everything, may not have run."""
        options = self._loader.load_from_file(str(PROJECT / SPECIFICATION))["argument_specs"]["main"]["options"]
        read = [name for name, option in options.items() if name.startswith(cost.PREFIXES) and not option.get("no_log")]
        return types({name: self._templar.template(variables[name]) for name in read if name in variables}, options)

    def _line(self, problem: Problem, variables: dict[str, Any]) -> str:
        inventory = Inventory.of(variables, self._loader, PROJECT)
        where = "-e" if problem.variable in load_extra_vars(self._loader) else inventory.locate(*problem.path) or inventory.home()
        return f"{problem.name}: {problem.text} ({where})"
