"""How a Dockerfile is read, and what buildah is made to see of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.module_utils.berth_dockerfile import Mount, binds, mounts, parse, stage_of, stages, with_mounts_seen

READ = {
    "an instruction": ("FROM scratch\n", [(1, "FROM", "scratch")]),
    "small letters": ("from scratch", [(1, "FROM", "scratch")]),
    "tabs and spaces": ("  \tFROM\t scratch  \n", [(1, "FROM", "scratch")]),
    "comments and empty lines": ("# one\n\n  # two\nFROM scratch\n", [(4, "FROM", "scratch")]),
    "lines of Windows": ("FROM scratch\r\nRUN a \\\r\n b\r\n", [(1, "FROM", "scratch"), (2, "RUN", "a  b")]),
    "a byte-order mark": ("\ufeffFROM scratch", [(1, "FROM", "scratch")]),
    "continued lines": ("RUN a \\\n  && b \\ \n  && c\nUSER 1", [(1, "RUN", "a   && b   && c"), (4, "USER", "1")]),
    "a comment and an empty line between": ("RUN a \\\n# why\n\n  && b\nUSER 1", [(1, "RUN", "a   && b"), (5, "USER", "1")]),
    "a continued line at the end": ("RUN a \\", [(1, "RUN", "a")]),
    "another character that continues": ("# escape=`\nRUN a `\n b \\\nUSER 1", [(2, "RUN", "a  b \\"), (4, "USER", "1")]),
    "a directive that comes too late": ("# why\n# escape=`\nRUN a `\nUSER 1", [(3, "RUN", "a `"), (4, "USER", "1")]),
    "a form feed is no new line": ("RUN a\x0cb\nUSER 1", [(1, "RUN", "a\x0cb"), (2, "USER", "1")]),
    "a here-document": ("RUN <<EOF\nUSER 1\nEOF\nUSER 2", [(1, "RUN", "<<EOF"), (4, "USER", "2")]),
    "a quoted one": ("RUN cat <<'E F' >/x <<\"EOF\" | sh\nUSER 1\nEOF\nUSER 2", [(1, "RUN", "cat <<'E F' >/x <<\"EOF\" | sh"), (4, "USER", "2")]),
    "one with tabs": ("RUN <<-EOF\n\tUSER 1\n\tEOF\nUSER 2", [(1, "RUN", "<<-EOF"), (4, "USER", "2")]),
    "two": ("COPY <<a <<b /x/\n1\na\n2\nb\nUSER 2", [(1, "COPY", "<<a <<b /x/"), (6, "USER", "2")]),
    "one that ends nowhere": ("RUN <<EOF\nUSER 1", [(1, "RUN", "<<EOF")]),
    "what only looks like one": ("RUN $((1<<2)) '<<A' \"a <<A b\" << A\nUSER 1", [(1, "RUN", "$((1<<2)) '<<A' \"a <<A b\" << A"), (2, "USER", "1")]),
    "none in an instruction that has none": ("ENV A=<<EOF\nUSER 1", [(1, "ENV", "A=<<EOF"), (2, "USER", "1")]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), READ.values(), ids=READ)
def test_a_dockerfile_is_read_as_buildkit_reads_it(text: str, found: list[tuple[int, str, str]]) -> None:
    assert [(one.line, one.keyword, one.text) for one in parse(text)] == found


def test_an_instruction_has_its_here_documents_with_it() -> None:
    [run, _] = parse("RUN a \\\n <<EOF\nfirst\nEOF\nUSER 1")
    assert run.raw == "RUN a \\\n <<EOF\nfirst\nEOF" and run.documents == ("EOF",)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("RUN true", []),
        ("RUN --mount=target=/mnt true", [Mount("bind", "", "", "/mnt", "")]),
        ("RUN --mount=type=bind,from=build,source=/a,target=/mnt true", [Mount("bind", "build", "/a", "/mnt", "")]),
        ("RUN --mount=type=bind,src=a,dst=/mnt \\\n --mount=type=cache,target=/c true", [Mount("bind", "", "a", "/mnt", ""), Mount("cache", "", "", "/c", "")]),
        ("RUN --network=none --mount=type=secret,id=key,destination=/k true --mount=type=bind", [Mount("secret", "", "", "/k", "key")]),
        ("COPY --mount=type=bind,target=/mnt a b", []),
    ],
)
def test_the_mounts_of_an_instruction_are_read(text: str, found: list[Mount]) -> None:
    [instruction] = parse(text)
    assert mounts(instruction) == found
    assert binds(instruction) == [mount for mount in found if mount.kind == "bind"]


def test_a_stage_is_found_by_its_name_or_number_and_nothing_else() -> None:
    found = stages(parse("ARG A\nFROM one AS First\nFROM --platform=linux/amd64 two\nFROM first as third\nRUN a"))
    assert [(stage.name, stage.base) for stage in found] == [("first", "one"), ("", "two"), ("third", "first")]
    assert [one.keyword for one in found[2].instructions] == ["FROM", "RUN"]
    assert stage_of("FIRST", found) is found[0] and stage_of("1", found) is found[1]
    assert stage_of("3", found) is None and stage_of("first", found[1:]) is None and stage_of("", found) is None


# --- What buildah is made to see -----------------------------------------------
def seen(text: str, beside: str = "", **context: str) -> str:
    """Return what buildah gets of a Dockerfile; ``context`` are hashes by path, ``all`` for the whole."""
    return with_mounts_seen(text, lambda path: context.get(path or "all", "?"), beside)


def keys(text: str, beside: str = "", **context: str) -> list[str]:
    """Return the hashes that buildah gets before what mounts something."""
    return re.findall(r"^ARG BERTH_MOUNTED=(\w+)$", seen(text, beside, **context), re.MULTILINE)


def test_a_dockerfile_without_such_mounts_stays_as_it_is() -> None:
    text = "FROM a AS one\r\nRUN --mount=type=cache,target=/c x\nFROM b\nCOPY --from=one /a /a\n"
    assert seen(text) == text


def test_an_argument_before_what_mounts_something_tells_what_it_mounts() -> None:
    text = "FROM a\n# why\nRUN --mount=type=bind,source=lock,target=/lock \\\n  x\nRUN y\n"
    [key] = keys(text, lock="1")
    assert seen(text, lock="1") == text.replace("RUN --mount", f"ARG BERTH_MOUNTED={key}\nRUN --mount")
    assert keys(text, lock="1", all="2") == [key]
    assert keys(text, lock="2") != [key]


def test_a_stage_that_is_mounted_ends_with_an_instruction_without_files() -> None:
    text = "FROM a AS one\nRUN x\nFROM b\nRUN --mount=from=one,target=/mnt y\n"
    assert re.sub(r"=\w{16}\n", "=key\n", seen(text)) == (
        "FROM a AS one\nRUN x\nARG BERTH_STAGE_ENDS=1\nFROM b\nARG BERTH_MOUNTED=key\nRUN --mount=from=one,target=/mnt y\n"
    )


STAGES = "FROM base AS zero\n{zero}\nFROM zero AS one\n{one}\nFROM other AS two\nRUN two\nFROM base\nRUN --mount=from={origin},target=/mnt x\n"


@pytest.mark.parametrize(
    ("change", "another"),
    [
        ({"one": "RUN changed"}, True),
        ({"zero": "RUN changed"}, True),
        ({"beside": "changed"}, True),
        ({"all": "changed"}, False),
        ({"zero": "COPY a /a", "all": "changed"}, True),
        ({"one": "COPY --from=two a /a"}, True),
        ({"one": "RUN --mount=source=lock,target=/lock x", "lock": "changed"}, True),
        ({"one": "RUN <<EOF\nchanged\nEOF"}, True),
        ({"origin": "two"}, True),
        ({"origin": "2"}, True),
        ({"origin": "registry.example/image"}, True),
    ],
    ids=str,
)
def test_what_a_stage_is_made_of_is_part_of_what_is_mounted_from_it(change: dict[str, str], another: bool) -> None:
    def key(given: dict[str, str]) -> list[str]:
        whole = {"zero": "RUN zero", "one": "RUN one", "origin": "one", "beside": "", "all": "a", "lock": "b", **given}
        return keys(STAGES.format(**whole), whole["beside"], all=whole["all"], lock=whole["lock"])

    texts = {name: text for name, text in change.items() if name not in ("all", "beside", "lock")}
    same_text = key(texts) if change.keys() - texts.keys() else key({})
    assert (key(change) != same_text) is another


def test_a_stage_named_by_a_variable_could_be_any() -> None:
    text = "FROM a AS one\nCOPY a /a\nFROM b\nRUN --mount=from=$STAGE,target=/mnt y\n"
    assert keys(text, all="1") != keys(text, all="2")


def test_the_example_mounts_nothing_that_buildah_could_take_from_its_cache() -> None:
    text = (Path(__file__).resolve().parents[2] / "Dockerfile").read_text(encoding="utf-8")
    assert seen(text) == text
