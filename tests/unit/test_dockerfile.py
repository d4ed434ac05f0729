"""How a Dockerfile is read, and what buildah is made to see of it."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.dockerfile import (
    Image,
    Mount,
    binds,
    for_buildah,
    full_name,
    images,
    mounts,
    parse,
    refuse_documents,
    runs_as_root,
    serves_nothing,
    stage_of,
    stages,
    unreachable,
    with_absolute_mounts,
    with_mounts_seen,
    without_health_checks,
    without_links,
)
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError

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
}


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
GIVEN = {"BASE": "one"}


def seen(text: str, beside: str = "", **context: str) -> str:
    """Return what buildah gets of a Dockerfile; ``context`` are hashes by path, ``all`` for the whole."""
    return with_mounts_seen(text, lambda path: context.get(posixpath.normpath(f"/{path}").strip("/") or "all", "?"), GIVEN, beside)


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


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("COPY --link a b", "COPY  a b"),
        ("COPY --link --from=x a b\nADD --chown=1 --link=true c d", "COPY  --from=x a b\nADD --chown=1  c d"),
        ("COPY --from=x \\\n  --link \\\n  a b", "COPY --from=x \\\n   \\\n  a b"),
        ("COPY a --link", "COPY a --link"),
        ("RUN ln --link a", "RUN ln --link a"),
        ("RUN <<EOF\nCOPY --link a b\nEOF", "RUN <<EOF\nCOPY --link a b\nEOF"),
    ],
)
def test_how_a_layer_is_stored_is_nothing_that_buildah_needs_to_know(text: str, left: str) -> None:
    assert without_links(text) == left


STAGES = "FROM base AS zero\n{zero}\nFROM zero AS one\n{one}\nFROM other AS two\nRUN two\nFROM base\nRUN --mount=from={origin},target=/mnt x\n"


@pytest.mark.parametrize(
    ("change", "another"),
    [
        ({"one": "RUN changed"}, True),
        ({"zero": "RUN changed"}, True),
        ({"beside": "changed"}, True),
        ({"all": "changed"}, False),
        ({"zero": "COPY a /a", "all": "changed"}, False),
        ({"zero": "COPY a /a", "a": "changed"}, True),
        ({"zero": 'COPY ["b", "a", "/"]', "a": "changed"}, True),
        ({"zero": "COPY . /a", "all": "changed"}, True),
        ({"zero": "COPY ./ /a", "all": "changed"}, True),
        ({"zero": "COPY a* /a", "all": "changed"}, True),
        ({"zero": "COPY $A /a", "all": "changed"}, True),
        ({"zero": "COPY <<A b /a\nA", "all": "changed"}, True),
        ({"zero": "ADD https://example.org/ b /a", "all": "changed"}, True),
        ({"zero": "COPY 'a /a", "all": "changed"}, True),
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
        whole = {"zero": "RUN zero", "one": "RUN one", "origin": "one", "beside": "", "all": "a", "lock": "b", "a": "c", **given}
        return keys(STAGES.format(**whole), whole["beside"], all=whole["all"], lock=whole["lock"], a=whole["a"])

    texts = {name: text for name, text in change.items() if name not in ("a", "all", "beside", "lock")}
    same_text = key(texts) if change.keys() - texts.keys() else key({})
    assert (key(change) != same_text) is another


def test_a_stage_named_by_a_variable_could_be_any() -> None:
    text = "FROM a AS one\nCOPY a /a\nFROM b\nRUN --mount=from=$STAGE,target=/mnt y\n"
    assert keys(text, all="1") != keys(text, all="2")


@pytest.mark.parametrize(("base", "another"), [("${BASE}", False), ("${BASE}:1", False), ("${OTHER:-one}", False), ("${OTHER}", True), ("$LATER", True)])
def test_what_a_stage_begins_with_depends_on_the_context_only_where_no_argument_tells_it(base: str, another: bool) -> None:
    text = f"ARG BASE\nFROM {base} AS two\nARG LATER=one\nFROM b\nRUN --mount=from=two,target=/mnt y\n"
    assert (keys(text, all="1") != keys(text, all="2")) is another


def test_a_stage_that_an_argument_names_is_part_of_what_is_mounted() -> None:
    text = "ARG BASE\nFROM a AS one\nRUN {}\nFROM ${{BASE}} AS two\nFROM b\nRUN --mount=from=two,target=/mnt y\n"
    assert keys(text.format("x")) != keys(text.format("y"))


def test_the_example_mounts_nothing_that_buildah_could_take_from_its_cache() -> None:
    text = (Path(__file__).resolve().parents[2] / "Dockerfile").read_text(encoding="utf-8")
    assert seen(text) == text


# --- The images that it names ------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.13-slim", "docker.io/library/python:3.13-slim"),
        ("astral/uv:1", "docker.io/astral/uv:1"),
        ("docker.io/python", "docker.io/library/python:latest"),
        ("ghcr.io/astral-sh/uv:0.8", "ghcr.io/astral-sh/uv:0.8"),
        ("localhost/base", "localhost/base:latest"),
        ("registry:5000/base", "registry:5000/base:latest"),
        ("python@sha256:0a", "docker.io/library/python@sha256:0a"),
        ("python:3@sha256:0a", "docker.io/library/python:3@sha256:0a"),
    ],
)
def test_an_image_has_the_name_that_docker_gives_it(written: str, name: str) -> None:
    assert full_name(written) == name


NAMED = {
    "a base": ("FROM python:3", [(1, "FROM", "python:3")]),
    "a build argument": ("ARG PYTHON_IMAGE=python:3\nFROM ${PYTHON_IMAGE}", [(2, "FROM", "given:1")]),
    "an argument with a default": ("ARG V=3.12\nARG I=python:$V-slim\nFROM $I", [(3, "FROM", "python:3.12-slim")]),
    "an argument in quotes": ('ARG I="python:3"\nFROM $I', [(2, "FROM", "python:3")]),
    "a default where it is used": ("FROM ${I:-python:3}", [(1, "FROM", "python:3")]),
    "something instead": ("ARG I=x\nFROM python:${I:+3}", [(2, "FROM", "python:3")]),
    "an argument that nothing gives": ("ARG I\nFROM $I", []),
    "an argument of Docker's own": ("FROM --platform=$BUILDPLATFORM python:3-$TARGETARCH", []),
    "nothing": ("FROM scratch", []),
    "a stage": ("FROM python:3 AS a\nFROM a", [(1, "FROM", "python:3")]),
    "a stage in other letters": ("FROM python:3 AS Build\nFROM python:3\nCOPY --from=BUILD /a /a", [(1, "FROM", "python:3"), (2, "FROM", "python:3")]),
    "a stage that nothing needs": ("FROM debug:1 AS debug\nFROM python:3", [(2, "FROM", "python:3")]),
    "what only a needed stage needs": (
        "FROM one:1 AS one\nFROM two:1 AS two\nCOPY --from=one /a /a\nFROM three:1\nCOPY --from=two /a /a",
        [(1, "FROM", "one:1"), (2, "FROM", "two:1"), (4, "FROM", "three:1")],
    ),
    "an image to copy from": ("FROM a:1\nCOPY --from=ghcr.io/astral-sh/uv:0.8 /uv /bin/", [(1, "FROM", "a:1"), (2, "COPY", "ghcr.io/astral-sh/uv:0.8")]),
    "a stage by its number": ("FROM one:1\nFROM two:1\nCOPY --from=0 /a /a", [(1, "FROM", "one:1"), (2, "FROM", "two:1")]),
    "an image to mount": ("FROM a:1\nRUN --mount=from=b:1,target=/b --mount=type=cache,target=/c x", [(1, "FROM", "a:1"), (2, "RUN", "b:1")]),
    "a later stage is none yet": (
        "FROM a:1\nCOPY --from=b /a /a\nFROM c:1 AS b\nCOPY --from=0 /a /a",
        [(1, "FROM", "a:1"), (2, "COPY", "b"), (3, "FROM", "c:1")],
    ),
    "what a stage's own argument names": ("ARG W=a:1\nFROM b:1\nARG W=c:1\nCOPY --from=$W /a /a", [(2, "FROM", "b:1")]),
    "one named twice": ("FROM a:1\nCOPY --from=b:1 /a /a\nCOPY --from=b:1 /b /b", [(1, "FROM", "a:1"), (2, "COPY", "b:1"), (3, "COPY", "b:1")]),
}


@pytest.mark.parametrize(("text", "found"), NAMED.values(), ids=NAMED)
def test_the_images_that_a_build_needs_are_found_with_their_lines(text: str, found: list[tuple[int, str, str]]) -> None:
    assert [image[:3] for image in images(parse(text), {"PYTHON_IMAGE": "given:1"})] == found


# --- What is said -----------------------------------------------------------------
FILE = Path("src/Dockerfile")


def test_a_base_that_cannot_be_had_leads_to_a_mirror_or_to_the_base_that_is_here() -> None:
    image = Image(2, "FROM", "python:3.12-slim", full_name("python:3.12-slim"))
    said = unreachable(FILE, image, "docker.io", "timed out")
    assert unreachable(FILE, image, "docker.io", "timed out", ["docker.io/library/python:3.13-slim"]).removeprefix(said) == (
        " It has Python 3.13 and no compiler: packages without a wheel for it need Debian's package build-essential."
    )
    assert said == (
        "src/Dockerfile, line 2: the image python:3.12-slim is not on this machine, and its registry docker.io does not answer (timed out). "
        "Name a mirror that has it, such as berth_artifacts_mirrors: {docker.io: mirror.example.org/docker.io}, or start from the image that "
        "Berth brings: ARG PYTHON_IMAGE=python:3.12-slim above the first FROM, then FROM ${PYTHON_IMAGE} in each stage that needs Python."
    )


@pytest.mark.parametrize(
    ("image", "file", "found"),
    [
        ("acme/base:latest", "docker/base/Dockerfile", True),
        ("acme/shop-base", "docker/Dockerfile.shop-base", True),
        ("acme/base:latest", "docker/worker/Dockerfile", False),
        ("python:3.13", "docker/python/Dockerfile", False),  # everybody's
    ],
)
def test_a_base_that_the_project_builds_itself_leads_to_its_dockerfile(tmp_path: Path, image: str, file: str, found: bool) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    for path in (file, "Dockerfile"):
        (tmp_path / path).touch()
    said = unreachable(tmp_path / "Dockerfile", Image(2, "FROM", image, full_name(image)), "docker.io", "timed out", source=tmp_path)
    assert (f" {tmp_path / file} seems to build it: its instructions can be a stage above that line." in said) == found
    assert said.endswith(" Or put this Dockerfile aside, remove berth_app_dockerfile if it is set, and Berth writes one.")


@pytest.mark.parametrize(
    ("image", "host", "words"),
    [
        ((3, "COPY", "ghcr.io/uv:1"), "ghcr.io", ["line 3: the image ghcr.io/uv:1 is not", "{ghcr.io: mirror.example.org/ghcr.io}", "RUN with pip install"]),
        ((3, "COPY", "biuld"), "docker.io", ["line 3: no stage above is called biuld, and no image on this machine, and its registry docker.io"]),
        ((3, "FROM", "python"), "mirror.example", ["registry mirror.example does not answer", "Correct mirror.example in berth_artifacts_mirrors, or start"]),
        ((1, "", "docker/dockerfile:1"), "docker.io", ["Remove the line: the engine reads Dockerfiles without it too."]),
    ],
)
def test_what_is_said_of_an_image_is_what_helps_where_it_stands(image: tuple[int, str, str], host: str, words: list[str]) -> None:
    said = unreachable(FILE, Image(*image, full_name(image[2])), host, "timed out")
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize(("version", "known"), [("1.28.2", False), ("1.32.9", False), ("1.33.0", True), ("1.33.7", True), ("1.40.1", True), ("2.0", True)])
def test_a_here_document_is_refused_where_buildah_does_not_know_it(version: str, known: bool) -> None:
    text = "FROM a\n\nRUN <<EOF\nx\nEOF\n"
    if known:
        refuse_documents(FILE, parse(text), version)
        return
    with pytest.raises(ImageError) as refused:
        refuse_documents(FILE, parse(text), version)
    assert str(refused.value) == (
        f"src/Dockerfile, line 3: buildah {version} does not support the here-document <<EOF, only 1.33 and later do: "
        "join its commands in lines that end with && \\ instead."
    )


def test_what_a_here_document_writes_to_a_file_becomes_a_file_of_the_source() -> None:
    with pytest.raises(ImageError, match=r"line 2: .*<<EOF, only 1\.33 and later do: put its lines into a file in the source and COPY that instead\."):
        refuse_documents(FILE, parse("FROM a\nCOPY <<EOF /x\nx\nEOF"), "1.28.2")


def test_a_health_check_which_kubernetes_does_not_ask_for_is_no_reason_not_to_build() -> None:
    text = "FROM x\nHEALTHCHECK --start-interval=5s \\\n  CMD ./look\nCMD [x]\nhealthcheck NONE\n"
    made = without_health_checks(text)
    assert [(one.line, one.keyword) for one in parse(made)] == [(1, "FROM"), (4, "CMD")]
    assert without_health_checks("FROM x\nRUN echo HEALTHCHECK\n") == "FROM x\nRUN echo HEALTHCHECK\n"


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("FROM python:3.13-slim\n", True),
        ("FROM python\nUSER app\n", False),
        ("FROM python\nUSER app\nRUN true\nUSER root\n", True),
        ("FROM python\nUSER 0:1000\n", True),
        ("FROM python AS base\nUSER app\nFROM base\n", False),
        ("FROM python AS base\nUSER app\nFROM debian:13\nCOPY --from=base /x /x\n", True),
        ("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE}\n", True),
        ("ARG BASE\nFROM $BASE\n", False),  # whatever it is, the image itself says it
        ("FROM registry.example.com/python\n", False),
        ("FROM scratch\nUSER $APP\n", False),
        ("", False),
    ],
)
def test_an_image_that_surely_runs_as_root_is_known_by_its_dockerfile(text: str, root: bool) -> None:
    assert runs_as_root(parse(text)) is root


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("FROM python:3.13-slim\nCOPY . .\n", True),
        ("ARG PYTHON_IMAGE\nFROM ${PYTHON_IMAGE} AS base\nFROM base\n", True),
        ("FROM python\nCMD gunicorn shop.wsgi\n", False),
        ('FROM python AS base\nENTRYPOINT ["/serve"]\nFROM base\n', False),
        ("FROM python AS base\nCMD [x]\nFROM debian:13\nCOPY --from=base /x /x\n", True),
        ("FROM registry.example.com/python\n", False),  # whatever it runs
        ("FROM $BASE\n", False),
        ("", False),
    ],
)
def test_an_image_that_surely_serves_nothing_is_known_by_its_dockerfile(text: str, nothing: bool) -> None:
    assert serves_nothing(parse(text)) is nothing


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # As uv's own page has it.
        (
            "WORKDIR /app\nRUN --mount=type=cache,target=/c/uv \\\n    --mount=type=bind,source=uv.lock,target=uv.lock \\\n    uv sync --target=x",
            "WORKDIR /app\nRUN --mount=type=cache,target=/c/uv \\\n    --mount=type=bind,source=uv.lock,target=/app/uv.lock \\\n    uv sync --target=x",
        ),
        (
            "ARG HOME_OF=/srv\nWORKDIR $HOME_OF\nRUN --mount=source=a,dst=./b/a true",
            "ARG HOME_OF=/srv\nWORKDIR $HOME_OF\nRUN --mount=source=a,dst=/srv/b/a true",
        ),
        ("RUN --mount=destination=a,source=a true", "RUN --mount=destination=/a,source=a true"),
        ("WORKDIR $UNKNOWN\nRUN --mount=source=a,target=a true", None),
        ("WORKDIR /app\nRUN --mount=source=a,target=$A/b true", None),
        ("WORKDIR /app\nRUN install --target=x", None),
    ],
)
def test_a_mount_has_an_absolute_target_for_buildah_whatever_its_dockerfile_says(text: str, told: str | None) -> None:
    assert with_absolute_mounts(f"FROM a\n{text}") == f"FROM a\n{told or text}"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        # As Docker's own page has it for apt.
        (
            "RUN --mount=type=cache,target=/a,sharing=locked \\\n  --mount=type=cache,target=/b,sharing=locked \\\n  apt-get update",
            "RUN --mount=type=cache,target=/a \\\n  --mount=type=cache,target=/b,sharing=locked \\\n  apt-get update",
        ),
        ("RUN --mount=sharing=locked,type=cache,target=/a --mount=type=cache,target=/b x", "RUN --mount=type=cache,target=/a --mount=type=cache,target=/b x"),
        ("RUN --mount=type=cache,target=/a,sharing=locked --mount=type=bind,target=/b x", None),
        ("RUN --mount=type=cache,target=/a,sharing=private --mount=type=cache,target=/b x", None),
        ("RUN echo --mount=type=cache,target=/a,sharing=locked --mount=type=cache,target=/b", None),
    ],
)
def test_no_run_leaves_the_lock_of_a_cache_behind_for_which_a_later_one_waits(text: str, left: str | None) -> None:
    assert for_buildah(f"FROM a\n{text}\n{text}") == f"FROM a\n{left or text}\n{left or text}"


def test_each_stage_has_a_working_directory_of_its_own_or_of_the_stage_before() -> None:
    run = "RUN --mount=source=a,target=a true"
    text = f"FROM a AS one\nWORKDIR /one\n{run}\nFROM b AS two\n{run}\nFROM one\n{run}\nWORKDIR sub\n{run}"
    targets = re.findall(r"target=(\S+) ", with_absolute_mounts(text))
    assert targets == ["/one/a", "/a", "/one/a", "/one/sub/a"]
