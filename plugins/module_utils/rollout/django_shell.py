"""Run a script in a project's image with its settings loaded, as Django's own ``manage.py shell`` does."""

from __future__ import annotations

# A project may have a command shell of its own, with other options and rules.
_SHELL = """
import runpy, sys
from django.core import management
found = management.get_commands
management.get_commands = lambda: {{**found(), "shell": "django.core"}}
sys.argv = ["manage.py", "shell", "--verbosity", "0", "-c", {script!r}]
runpy.run_path("manage.py", run_name="__main__")
"""


def command(script: str) -> list[str]:
    """Return the command of a container, run in the directory of manage.py, that runs a script in Django's shell.

    >>> command("print(1)")[:2]
    ['python', '-c']
    """
    return ["python", "-c", _SHELL.format(script=script)]
