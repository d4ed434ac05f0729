"""docs/kubernetes-101.md and the tool that runs it: how it reads a page, what it takes for the same, what it writes, and that the page leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import executable_page as page
import pytest
from executable_page import PageError, Place, Step
from run_page import PAGE, Shell, differences

PROJECT = Path(__file__).resolve().parents[2]
TEXT = """# A page

```mermaid
$ not a command
```

```console
$ one
out of it

still
$ two \\
> goes on
> further
```

Words.

```console
$ three
```
"""


# --- Reading ---------------------------------------------------------------
def test_the_commands_of_console_blocks_are_read_with_their_outputs() -> None:
    assert page.steps(TEXT) == [
        Step(8, "one", ("out of it", "", "still"), 8),
        Step(12, "two \\\ngoes on\nfurther", (), 14),
        Step(20, "three", (), 20),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```console\nout\n```\n", "Line 2: a block of console begins with a command: $ COMMAND"),
        ("```console\n\n$ one\n```\n", "Line 2: a block of console begins with a command: $ COMMAND"),
        ("words\n```console\n$ one\n", "Line 2: the block is not closed"),
        ("```text\n", "Line 1: the block is not closed"),
    ],
)
def test_a_page_that_cannot_be_read_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(PageError, match=f"^{re.escape(said)}$"):
        page.steps(text)


# --- What is the same ------------------------------------------------------
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("polls-7c9d8f6b5c-8x2kq   1/1     Running   0          24m", "polls-5f4d7b8c9-zt5wd   1/1   Running   3 (5m ago)   2d3h"),
        ("polls-7c9d8f6b5c   2   2   2   24m", "polls-6c4d8b9f7d   2   2   2   3s"),
        ("database-0   1/1   Running   0   3m12s", "database-0   1/1   Running   1   1y2d"),
        ("polls-1a2b3c4d5e", "polls-0f9e8d7c6b"),
        ('pod "polls-7c9d8f6b5c-8x2kq" deleted', 'pod "polls-7c9d8f6b5c-qm7xr" deleted from polls-dev namespace'),
        ("polls   NodePort   10.96.33.201   <none>   80:30080/TCP   25m", "polls   NodePort   10.100.1.2   <none>   80:31999/TCP   1s"),
        ("polls answers at http://127.0.0.1:30080/", "polls answers at http://127.0.0.1:32001/"),
        ("127.0.0.1:5001/polls@sha256:0a1b2c3d4e5f", "127.0.0.1:5001/polls@sha256:ffeeddccbb00"),
        ("berth   2   24690332Ki   110", "berth   16   64000000Ki   110"),
        ("berth   Ready   control-plane   26m   v1.36.3", "berth   Ready   control-plane   4d   v1.37.0+k3s1"),
        ("berth   containerd://2.2.1", "berth   containerd://1.7.28"),
        (
            "data-database-0   Bound   pvc-1b4e28ba-2fa1-11d2-883f-0016d3cca427   1Gi",
            "data-database-0   Bound   pvc-6fa459ea-ee8a-3ca4-894e-db77e160355e   1Gi",
        ),
        ("polls-clearsessions   17 4 * * *   <none>   False   0   <none>   25m", "polls-clearsessions   17 4 * * *   <none>   False   1   3h2m   2d"),
        ("polls   Deployment/polls   cpu: 4%/60%   2   6   2   20s", "polls   Deployment/polls   cpu: <unknown>/60%   2   6   2   0s"),
        ("  1 task changed something    6.1 s", "  1 task changed something   1 min 12 s"),
        ("dev   : ok=30   changed=0   unreachable=0   failed=0   skipped=2", "dev   : ok=31   changed=1   unreachable=0   failed=0   skipped=0"),
        ("release: version 0a1b2c3d, revision 1, 2 pods", "release: version 4e5f6a7b, revision 12, 2 pods"),
        ("release: version 0a1b2c3, revision 1, 2 pods", "release: version v1.2-4-g0a1b2c3-0123456789ab, revision 1, 2 pods"),
        ("polls runs version 1.0 again (as revision 4), not abcdef0 (revision 3).", "polls runs version abc again (as revision 9), not fedcba9 (revision 3)."),
        (
            "polls runs revision 2 again (as revision 4), not revision 3; both are version abcdef0, configured differently.",
            "polls runs revision 7 again (as revision 9), not revision 8; both are version 1.2, configured differently.",
        ),
        ("version 0a1b2c3 is 127.0.0.1:5001/polls@sha256:0a1b2c3d4e5f", "version 1.0 is 127.0.0.1:5001/polls@sha256:ffeeddccbb00"),
        ("2         0a1b2c3d4e5f", "13        1.0"),
        ("requests    831, of which 0 failed; 19.1 a second", "requests    12, of which 0 failed; 2.0 a second"),
        ("latency     half of them within 12 ms, 95 % within 40 ms", "latency     half of them within 90 ms, 95 % within 1200 ms"),
        ("pods        2 to 4, 6 are wanted", "pods        2 to 2, 3 are wanted"),
        ("trailing   ", "trailing"),
    ],
)
def test_what_differs_from_run_to_run_is_the_same(one: str, other: str) -> None:
    assert page.normal(one) == page.normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("polls   2/2   2   2   24m", "polls   1/2   2   1   24m"),
        ("polls   10/10   10   10   24m", "polls   2/2   2   2   24m"),
        ("polls-7c9d8f6b5c-8x2kq   1/1   Running   0   24m", "polls-7c9d8f6b5c-8x2kq   0/1   Running   0   24m"),
        ("polls-7c9d8f6b5c-8x2kq   1/1   Running   0   24m", "polls-7c9d8f6b5c-8x2kq   1/1   CrashLoopBackOff   0   24m"),
        ("polls-7c9d8f6b5c-8x2kq   1/1   Running   0   24m", "database-0   1/1   Running   0   24m"),
        ("polls   NodePort   10.96.33.201   <none>   80:30080/TCP", "polls   LoadBalancer   10.96.33.201   <none>   80:30080/TCP"),
        ("dev   : ok=30   unreachable=0   failed=0", "dev   : ok=30   unreachable=0   failed=1"),
        ("release: version 0a1b2c3d, revision 1, 2 pods", "release: version 0a1b2c3d, revision 1, 10 pods"),
        ("requests    831, of which 0 failed; 19.1 a second", "requests    831, of which 3 failed; 19.1 a second"),
        ("pods        2 to 4, 6 are wanted", "pods        2 to 2, 2 are wanted"),
        ("pods        2 to 4, 6 are wanted", "pods        the cluster did not say"),
        ("total, least   0.6968   508.67   6,104.07", "total, least   0.6969   508.70   6,104.40"),
        ("yes", "no"),
        ("1", "2"),
    ],
)
def test_what_a_reader_learns_from_an_output_is_not_the_same(one: str, other: str) -> None:
    assert page.normal(one) != page.normal(other)


RUNNING = "polls-7c9d8f6b5c-8x2kq   1/1   Running   0   24m"


@pytest.mark.parametrize("leaving", ["1/1   Terminating   0", "0/1   Completed   0", "0/1   Error   1"])
def test_a_pod_that_ends_is_left_out(leaving: str) -> None:
    rows = [RUNNING, f"polls-7c9d8f6b5c-zt5wd   {leaving}   24m", ""]
    assert page.compared(rows) == page.compared([RUNNING])
    assert page.rewritten(["NAME"], rows) == [RUNNING]


@pytest.mark.parametrize(
    ("wanted", "printed", "fits"),
    [
        ([], [], True),
        ([], ["a"], False),
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["b", "a"], False),
        (["..."], [], True),
        (["..."], ["a", "b"], True),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "..."], ["b", "a"], False),
        (["...", "c"], ["a", "b", "c"], True),
        (["...", "c"], ["a", "c", "b"], False),
        (["a", "...", "c"], ["a", "c"], True),
        (["a", "...", "a"], ["a"], False),
        (["...", "b", "...", "d", "..."], ["a", "b", "c", "d"], True),
        (["...", "d", "...", "b", "..."], ["a", "b", "c", "d"], False),
        (["...", "b", "c", "..."], ["a", "b", "x", "c"], False),
        (["a", "..."], [], False),
    ],
)
def test_three_dots_stand_for_any_lines(wanted: list[str], printed: list[str], fits: bool) -> None:
    assert page.same(wanted, printed) is fits


# --- Writing ---------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "printed", "new"),
    [
        (["polls   2/2   2   2   24m"], ["polls   2/2     2            2           1s"], ["polls   2/2   2   2   24m"]),
        (["polls   2/2   2   2   24m"], ["polls   3/3     3            3           1s  ", ""], ["polls   3/3     3            3           1s"]),
        (["...", "release: version 1a, 2 pods", "..."], ["x", "release: version 2b, 3 pods", "y"], ["...", "release: version 2b, 3 pods", "..."]),
        (["a 1", "...", "b   2", "..."], ["a 7", "b   8", "c"], ["a 7", "...", "b   8", "..."]),
        (["...", "gone"], ["a", "b"], ["a", "b"]),
        ([], ["a"], ["a"]),
        (["a"], [], []),
    ],
)
def test_an_output_is_written_only_where_it_is_not_true_any_more(old: list[str], printed: list[str], new: list[str]) -> None:
    assert page.rewritten(old, printed) == new


@pytest.mark.parametrize(
    ("old", "printed", "new"),
    [
        (["polls   2/2   2   2   24m"], ["polls   2/2     2            2           1s"], ["polls   2/2     2            2           1s"]),
        (["...", "release: version 1a, 2 pods"], ["x", "release: version 2b, 2 pods"], ["...", "release: version 2b, 2 pods"]),
        (["a"], [], []),
    ],
)
def test_every_output_is_written_where_that_is_wanted(old: list[str], printed: list[str], new: list[str]) -> None:
    assert page.rewritten(old, printed, every=True) == new


@pytest.mark.parametrize("outputs", [[["1"], ["2", "3"], []], [[], [], ["4"]]])
def test_a_page_is_written_with_other_outputs_and_all_its_words(outputs: list[list[str]]) -> None:
    new = page.written(TEXT, outputs)
    assert [list(step.output) for step in page.steps(new)] == outputs
    assert [step.command for step in page.steps(new)] == [step.command for step in page.steps(TEXT)]
    assert page.written(new, [step.output for step in page.steps(TEXT)]) == TEXT


# --- Another environment ---------------------------------------------------
ELSEWHERE = Place("molecule", "polls-default", "/srv/berth")


@pytest.mark.parametrize(
    ("command", "there"),
    [
        ("kubectl -n polls-dev get pods", "kubectl -n polls-default get pods"),
        ("ansible-playbook site.yml -i inventories/dev", "ansible-playbook site.yml -i inventories/molecule"),
        ("ansible-playbook site.yml -i inventories/prod", "ansible-playbook site.yml -i inventories/prod"),
        ("export KUBECONFIG=/etc/kubernetes/admin.conf:.cache/dev/kubeconfig", "export KUBECONFIG=/etc/kubernetes/admin.conf:.cache/molecule/kubeconfig"),
        ("kubectl --context dev@berth get pods >/dev/null", "kubectl --context molecule@berth get pods >/dev/null"),
    ],
)
def test_a_command_is_run_in_the_environment_that_there_is(command: str, there: str) -> None:
    assert (ELSEWHERE.command(command), Place().command(command)) == (there, command)


@pytest.mark.parametrize(
    ("printed", "page_has"),
    [
        ('pod "polls-x" deleted from polls-default namespace', 'pod "polls-x" deleted from polls-dev namespace'),
        ("molecule   : ok=3", "dev   : ok=3"),
        ("molecule: nothing found", "dev: nothing found"),
        ("  molecule: nothing found", "  dev: nothing found"),
        ("next: ansible-playbook playbooks/ops/status.yml -i inventories/molecule", "next: ansible-playbook playbooks/ops/status.yml -i inventories/dev"),
        ("plot        /srv/berth/.cache/molecule/loadtest.png", "plot        ~/berth/.cache/dev/loadtest.png"),
    ],
)
def test_what_was_printed_elsewhere_reads_as_in_dev(printed: str, page_has: str) -> None:
    assert ELSEWHERE.output(printed) == page_has


# --- The shell -------------------------------------------------------------
def test_the_shell_keeps_variables_and_returns_all_that_a_command_prints(tmp_path: Path) -> None:
    shell = Shell(tmp_path, {"PATH": "/bin:/usr/bin"})
    try:
        assert shell.run("name=value; export OTHER=exported") == []
        assert shell.run("echo $name; sh -c 'echo $OTHER' >&2; cat") == ["value", "exported"]
        assert shell.run("printf 'no end'") == ["no end"]
        assert shell.run("printf 'a\\n\\nb\\n\\n' |\ncat") == ["a", "", "b", ""]
        assert shell.run("false") == []
        with pytest.raises(EOFError, match="The shell ended in echo last; exit 3: last"):
            shell.run("echo last; exit 3")
    finally:
        shell.close()


# --- The page itself -------------------------------------------------------
KUBERNETES_101 = PAGE.read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## (\d+)\. (.+)$", KUBERNETES_101, re.MULTILINE)


def test_the_page_has_its_topics_in_order_and_a_command_for_each() -> None:
    assert [int(number) for number, _ in SECTIONS] == list(range(1, 19))
    parts = re.split(r"^## .+$", KUBERNETES_101, flags=re.MULTILINE)[1:19]
    # What is shown of the app's delivery is what every section before has run.
    assert [number for number, part in enumerate(parts, 1) if "```console\n$ " not in part] == []
    assert KUBERNETES_101.count("```mermaid") >= 7


def test_the_page_holds_what_it_shows_to_be_the_same_as_itself() -> None:
    steps = page.steps(KUBERNETES_101)
    assert differences(steps, [list(step.output) for step in steps]) == []


def test_an_output_that_is_not_the_pages_is_told_with_its_command_and_its_line() -> None:
    steps = page.steps(TEXT)
    assert differences(steps, [["out of it", "", "moved"], [], []]) == [
        "kubernetes-101.md:8: $ one\n--- the page\n+++ today\n@@ -1,3 +1,3 @@\n out of it\n \n-still\n+moved\nprinted:\nout of it\n\nmoved"
    ]


def test_the_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"`((?:roles|playbooks|inventories|plugins|app)/[\w./-]*)(?: [^`]*)?`", KUBERNETES_101)
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", KUBERNETES_101)
    assert named and [name for name in named if not (PROJECT / name).exists()] == []
    assert links and [link for link in links if not (PAGE.parent / link).is_file()] == []


def test_the_links_within_the_page_lead_to_its_headings() -> None:
    headings = {re.sub(r"[^\w -]", "", f"{number}. {title}".lower()).replace(" ", "-") for number, title in SECTIONS}
    anchors = set(re.findall(r"\]\(#([^)]+)\)", KUBERNETES_101))
    assert anchors and anchors <= headings
