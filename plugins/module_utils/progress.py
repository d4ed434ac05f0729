"""Show the person who watches a run what a long task is waiting for.

A module has no way to print while it runs, so it appends lines to the file that the environment
variable BERTH_PROGRESS names; without the variable nothing is written.
"""

from __future__ import annotations

import os


def report(line: str) -> None:
    """Append one line to the progress file.

    Args:
        line: What changed, e.g. ``Deployment polls: 1 of 2 pods ready``. Line breaks become spaces.

    An unwritable file must not fail the work that it reports on.
    """
    path = os.environ.get("BERTH_PROGRESS")
    if not path:
        return
    try:
        # One write in append mode, so that lines of parallel writers do not mix.
        with open(path, "a", encoding="utf-8") as progress:
            progress.write(" ".join(line.split()) + "\n")
    except OSError:
        pass
