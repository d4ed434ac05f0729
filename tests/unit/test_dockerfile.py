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
    explain,
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
from ansible_collections.berth.platform.plugins.modules import image_build

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


FAILURES = {
    "an unknown instruction": (
        'Error: building at STEP "X": Build error: Unknown instruction: "RUNN" &imagebuilder.Step{',
        "line 3: RUNN is not a Dockerfile instruction",
    ),
    "a flag that it does not know": (
        'building at STEP "COPY --parents a b": COPY only supports the --chmod=<p> --chown=<u> and the --from=<s> flags',
        "line 5: this machine's buildah does not support --parents in COPY",
    ),
    "a mode in letters": (
        'building at STEP "COPY --chmod=u+x a b": Error parsing chmod u+x',
        "line 6: this machine's buildah only accepts a number in --chmod",
    ),
    "a stage that is none": ("Error: COPY --from=$WHERE: no stage or image found with that name", "line 4: $WHERE is neither a stage above that line nor"),
    "an image that is not here": ("Error: creating build container: python:9: image not known", "line 2: this machine has no image python:9"),
    "a mount of what is not there": (
        'level=warning msg="couldn\'t find \\"/x/root/overlay/0a/merged/opt/pip\\" on host to bind mount into container"',
        "uses /opt/pip, which does not exist",
    ),
    "static files that cannot be collected": (
        "KeyError: 'BUCKET'\nError: building at STEP \"RUN KEY=build python manage.py collectstatic --noinput\": exit status 1",
        "line 7: collectstatic failed: its last lines say why. Fix that in the project",
    ),
    "the same, by Docker": (
        'ERROR: failed to solve: process "/bin/sh -c python manage.py collectstatic --noinput" did not complete successfully: exit code: 1',
        "line 7: collectstatic failed: its last lines",
    ),
    "a translation with a mistake": (
        "./a.po:1: warning: x\n./goods/locale/de/LC_MESSAGES/django.po:9: 'msgstr' lacks a format\nmsgfmt: found 1 fatal error\n"
        'Error: building at STEP "RUN find . -exec sh -c \'msgfmt \\"$file\\"\'": exit status 1',
        "line 8: the translation in goods/locale/de/LC_MESSAGES/django.po, line 9, cannot be compiled: 'msgstr' lacks a format. Correct it in the project.",
    ),
    "the same, by compilemessages": (
        "CommandError: Execution of msgfmt failed: /app/goods/locale/de/LC_MESSAGES/django.po:9: end-of-line within string\n"
        'ERROR: failed to solve: process "/bin/sh -c python manage.py compilemessages" did not complete successfully: exit code: 1',
        "line 9: the translation in /app/goods/locale/de/LC_MESSAGES/django.po, line 9, cannot be compiled: end-of-line within string.",
    ),
    "a package without a wheel, and no compiler": (
        "error: command 'gcc' failed: No such file or directory\n  ERROR: Failed building wheel for netifaces",
        "netifaces has no wheel for this Python and cannot be compiled: gcc is missing. Use a version of netifaces that has one, or add build-essential",
    ),
    "a package whose headers are missing": (
        "x.c:1:10: fatal error: ldap.h: No such file or directory\nERROR: Failed building wheel for python-ldap",
        "cannot be compiled: ldap.h is missing",
    ),
    "a package that asks for a library": (
        "/usr/bin/ld: cannot find -lldap_r: No such file or directory\nERROR: Failed building wheel for python-ldap",
        "cannot be compiled: -lldap_r is missing",
    ),
    "a package that asks for a program": (
        "Error: pg_config executable not found.\nERROR: Failed to build 'psycopg2' when getting requirements to build wheel",
        "psycopg2 has no wheel for this Python and cannot be compiled: pg_config is missing",
    ),
    "a package that is not named again where it fails": (
        "Collecting Django==4.2\nCollecting psycopg2-binary==2.9.6 (from -r requirements.txt)\n  Error: pg_config executable not found.\n"
        "Collecting later==1\nerror: subprocess-exited-with-error",
        "psycopg2-binary has no wheel for this Python and cannot be compiled: pg_config is missing",
    ),
    "a compiler that setuptools does not find": (
        "  building 'wires.c' extension\n  error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'\n  ERROR: Failed building wheel for wires",
        "wires has no wheel for this Python and cannot be compiled: x86_64-linux-gnu-gcc is missing",
    ),
    "a requirement without a version in a file with hashes": (
        "Collecting itsdangerous\nERROR: In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:\n"
        "    itsdangerous from https://x.example/itsdangerous-2.2.0-py3-none-any.whl (from -r requirements.txt (line 9))",
        "itsdangerous has no hash, but other requirements in its file have one. Generate that file again with it, e.g. with uv pip compile",
    ),
    "a requirement without a hash in a file with hashes": (
        "ERROR: Hashes are required in --require-hashes mode, but they are missing from some requirements. Here is a list of those requirements along "
        "with the hashes their downloaded archives actually had.\nAdd lines like these to your requirements files to prevent tampering. (...)\n"
        "    itsdangerous==2.2.0 --hash=sha256:c6242f",
        "itsdangerous has no hash, but other requirements in its file have one.",
    ),
    "an index that does not answer": (
        "Looking in indexes: https://index.example/simple\nWARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: "
        "Failed')': /simple/a/\nERROR: No matching distribution found for a==0.7.0",
        "pip gets no answer from https://index.example/simple (NewConnectionError). If a line with -i or --index-url in the requirements names it, remove",
    ),
    "an index that has answered at the second try": (
        "Looking in indexes: https://index.example/simple\nWARNING: Retrying (Retry(total=4)) after connection broken by 'ReadTimeoutError(x)': /simple/a/\n"
        "Error: pg_config executable not found.\nERROR: Failed to build 'psycopg2'",
        "psycopg2 has no wheel for this Python and cannot be compiled: pg_config is missing",
    ),
    "Docker's own pull": (
        'ERROR: failed to solve: python:9: failed to resolve source metadata for docker.io/library/python:9: failed to do request: Head "https://x": '
        "dial tcp: lookup registry-1.docker.io: no such host",
        "line 2: the image python:9 is not on this machine, and its registry docker.io does not answer",
    ),
    "Docker's own reader of Dockerfiles": (
        "ERROR: failed to solve: docker/dockerfile:1: failed to resolve source metadata for docker.io/docker/dockerfile:1: failed to do request: Head: "
        "dial tcp: lookup registry-1.docker.io: no such host",
        "line 1: the image docker/dockerfile:1 is not on this machine",
    ),
}


@pytest.mark.parametrize(("words", "said"), FAILURES.values(), ids=FAILURES)
def test_a_builders_failure_is_said_with_its_line(words: str, said: str) -> None:
    text = "# syntax=docker/dockerfile:1\nFROM python:9\nRUNN x\nCOPY --from=$WHERE a b\nCOPY --parents a b\nCOPY --chmod=u+x a b\n"
    text += "RUN KEY=build python manage.py collectstatic\nRUN find . -exec sh -c 'msgfmt $file'\nRUN python manage.py compilemessages\n"
    explained = explain(f"STEP 1\n{words}\n", FILE, text)
    assert said in explained and explained.startswith("src/Dockerfile") and explained.endswith("\n")


def test_where_the_requirements_name_an_index_that_does_not_answer_the_line_is_told() -> None:
    words, _ = FAILURES["an index that does not answer"]
    told = explain(words, FILE, "FROM a\n", named_in={"https://index.example/simple": "line 1 of /app/requirements.txt"}.__getitem__)
    assert told.endswith("(NewConnectionError). Remove line 1 of /app/requirements.txt, where it is named: that overrides this machine's pip configuration.\n")


@pytest.mark.parametrize(
    ("package", "lacks", "known", "way"),
    [
        (
            "psycopg2",
            "Error: pg_config executable not found.",
            {"psycopg2": ["libpq-dev"]},
            "Use psycopg2-binary instead, which has one, or install Debian ",
        ),
        ("psycopg2", "Error: pg_config executable not found.", {"psycopg2": ["libpq-dev"]}, "apt-get install --yes build-essential libpq-dev.\n"),
        ("xyz", "error: command 'gcc' failed: No such file or directory", {}, "apt-get install --yes build-essential.\n"),
        ("xyz", "x.c:1:10: fatal error: y.h: No such file or directory", {}, "apt-get install --yes build-essential, and the one that provides y.h.\n"),
        ("xyz", "error: command 'gcc' failed: No such file or directory", None, "add build-essential to berth_app_packages.\n"),
    ],
)
def test_what_a_package_is_compiled_with_is_told_with_the_line_that_lacks_it(package: str, lacks: str, known: dict[str, list[str]] | None, way: str) -> None:
    words = f'Collecting {package}\n{lacks}\nError: building at STEP "RUN pip install -r all.txt": while running runtime: exit status 1'
    compiled_with = None if known is None else lambda name: known.get(name, [])
    told = explain(words, FILE, "FROM a\nRUN pip install -r all.txt\n", "", compiled_with)
    assert told.startswith(f"src/Dockerfile, line 2: {package} has no wheel for this Python and cannot be compiled: ") and way in told


@pytest.mark.parametrize("announced", ["STEP 2/3: ", "[1/2] STEP 2/9: ", "[1/2] ", ""])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FROM a\nRUN --mount=type=cache,target=/c \\\n  curl x | sh\nRUN poetry export\n", "curl. {}apt-get install --yes --no-install-recommends curl\n"),
        ("FROM a\nRUN msgfmt x | sh\nRUN poetry export\n", "msgfmt. {}apt-get install --yes --no-install-recommends gettext\n"),
        ("FROM a\nRUN curl x | gcc\nRUN poetry export\n", "curl and no gcc. {}apt-get install --yes --no-install-recommends curl build-essential\n"),
        ("FROM a\nRUN curl x | sh\nRUN poetry export\nRUN apk add git\n", "curl. Above that line, install what has it: RUN apk add --no-cache curl\n"),
    ],
)
def test_a_command_that_the_base_image_lacks_is_named_before_what_it_was_to_install(text: str, said: str, announced: str) -> None:
    first, last, *_ = (" ".join(one.text.split()) for one in parse(text) if one.keyword == "RUN")
    missing = "".join(f"/bin/sh: 1: {name}: not found\n" for name in ("curl", "msgfmt", "gcc") if name in first)
    steps = (f"{announced}RUN {first.replace('--mount', '--mount=type=secret,id=berth --mount')}\n", f"{announced}RUN {last}\n") if announced else ("", "")
    words = f"{steps[0]}{missing}{steps[1]}/bin/sh: 1: poetry: not found\n"
    words += f'Error: building at STEP "RUN {last if announced else first}": while running runtime: exit status 127'
    whole = said.format("Above that line, install what has it: RUN apt-get update && ")
    assert explain(words, FILE, text, "", lambda _: []) == f"src/Dockerfile, line 2: the base image has no command {whole}"
    assert explain(words, FILE, text) == "", "nobody edits a Dockerfile that Berth wrote"
    assert explain(words.replace("127", "1"), FILE, text, "", lambda _: []) == "", "something else failed"


def test_what_the_project_lacks_is_told_where_collectstatic_fails() -> None:
    words = 'Error: building at STEP "RUN python manage.py collectstatic": exit status 1'
    told = explain(words, FILE, "FROM a\nRUN python manage.py collectstatic\n", "the module x is not installed. Add the package x.")
    assert told == "src/Dockerfile, line 2: collectstatic failed: the module x is not installed. Add the package x.\n"


def test_a_failure_that_says_all_itself_is_left_alone() -> None:
    assert explain("ModuleNotFoundError: No module named 'x'\nexit status 1", FILE, "FROM a") == ""
    assert explain("FileNotFoundError: [Errno 2] No such file or directory: 'readme'\nexit status 1", FILE, "FROM a") == ""


def test_a_builds_reason_is_told_though_much_was_said_after_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN pip install psycopg2\n", encoding="utf-8")
    build = image_build.Build({"log": tmp_path / "log", "source": tmp_path, "dockerfile": tmp_path / "Dockerfile", "ref": "x", "storage": tmp_path})
    with pytest.raises(ImageError) as error:
        build.run("sh", "-c", "echo Collecting psycopg2; echo Error: pg_config executable not found; seq 1 60; exit 1")
    assert "psycopg2 has no wheel for this Python and cannot be compiled: pg_config is missing" in str(error.value)
    assert str(error.value).splitlines()[-1] == "60"
    assert "\n45\n" not in str(error.value)


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
