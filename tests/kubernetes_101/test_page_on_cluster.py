"""docs/kubernetes-101.md on a real cluster, from the state that ``make dev`` leaves; BERTH_TEST_NAMESPACE names the namespace of inventories/molecule there."""

from __future__ import annotations

import os

import executable_page
from executable_page import Place
from run_page import PAGE, PROJECT, differences, outputs


def test_the_commands_of_the_page_print_what_it_says() -> None:
    steps = executable_page.steps(PAGE.read_text(encoding="utf-8"))
    wrong = differences(steps, outputs(steps, Place("molecule", os.environ["BERTH_TEST_NAMESPACE"], str(PROJECT))))
    assert not wrong, "\n\n".join(["python tests/kubernetes_101/run_page.py --write corrects the page, where it is the page that is wrong.", *wrong])
