"""What is said of a build that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.dockerfile import parse
from ansible_collections.berth.platform.plugins.module_utils.image.failures import Failure, explain
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError
from ansible_collections.berth.platform.plugins.modules import image_build

FILE, SOURCE = Path("src/Dockerfile"), Path("src")

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
    "a script of package.json whose program is in no package": (
        "> app@1 build\n> tsc\n\nsh: 1: tsc: not found\n"
        'Error: building at STEP "RUN NODE_ENV=production npm run build": while running runtime: exit status 127',
        "line 10: npm run build runs tsc, but package.json has no package that provides it. Add the one that does, such as by npm install --save-dev types",
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
    text += "RUN NODE_ENV=production npm run build\n"
    explained = explain(Failure(f"STEP 1\n{words}\n", FILE, text, SOURCE, own=False))
    assert said in explained and explained.startswith("src/Dockerfile") and explained.endswith("\n")


def test_where_the_requirements_name_an_index_that_does_not_answer_the_line_is_told(tmp_path: Path) -> None:
    words, _ = FAILURES["an index that does not answer"]
    (tmp_path / "requirements.txt").write_text("-i https://index.example/simple\n", encoding="utf-8")
    told = explain(Failure(words, FILE, "FROM a\n", tmp_path, own=False))
    place = f"line 1 of {tmp_path}/requirements.txt"
    assert told.endswith(f"(NewConnectionError). Remove {place}, where it is named: that overrides this machine's pip configuration.\n")


@pytest.mark.parametrize(
    ("package", "lacks", "own", "way"),
    [
        (
            "psycopg2",
            "Error: pg_config executable not found.",
            True,
            "Use psycopg2-binary instead, which has one, or install Debian ",
        ),
        ("psycopg2", "Error: pg_config executable not found.", True, "apt-get install --yes build-essential libpq-dev.\n"),
        ("xyz", "error: command 'gcc' failed: No such file or directory", True, "apt-get install --yes build-essential.\n"),
        ("xyz", "x.c:1:10: fatal error: y.h: No such file or directory", True, "apt-get install --yes build-essential, and the one that provides y.h.\n"),
        ("xyz", "error: command 'gcc' failed: No such file or directory", False, "add build-essential to berth_app_packages.\n"),
    ],
)
def test_what_a_package_is_compiled_with_is_told_with_the_line_that_lacks_it(package: str, lacks: str, own: bool, way: str) -> None:
    words = f'Collecting {package}\n{lacks}\nError: building at STEP "RUN pip install -r all.txt": while running runtime: exit status 1'
    told = explain(Failure(words, FILE, "FROM a\nRUN pip install -r all.txt\n", SOURCE, own))
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
    assert explain(Failure(words, FILE, text, SOURCE, own=True)) == f"src/Dockerfile, line 2: the base image has no command {whole}"
    assert explain(Failure(words, FILE, text, SOURCE, own=False)) == "", "nobody edits a Dockerfile that Berth wrote"
    assert explain(Failure(words.replace("127", "1"), FILE, text, SOURCE, own=True)) == "", "something else failed"


@pytest.mark.parametrize(
    ("command", "lacks", "said"),
    [
        ("npm run build", "npm", "the base image has no command npm"),
        ("npm run build", "git", "the base image has no command git"),
        ("pnpm run build", "pnpm", ""),
        ("yarn build", "yarn", ""),
        ("yarn build", "vite", "yarn add --dev vite,"),
    ],
)
def test_a_build_script_lacks_a_package_only_where_its_manager_runs(command: str, lacks: str, said: str) -> None:
    words = f'/bin/sh: 1: {lacks}: not found\nError: building at STEP "RUN {command}": while running runtime: exit status 127'
    told = explain(Failure(words, FILE, f"FROM a\nRUN {command}\n", SOURCE, own=True))
    assert said in told and bool(told) == bool(said)


def test_what_the_project_lacks_is_told_where_collectstatic_fails() -> None:
    words = 'Error: building at STEP "RUN python manage.py collectstatic": exit status 1'
    told = explain(Failure(words, FILE, "FROM a\nRUN python manage.py collectstatic\n", SOURCE, False, "the module x is not installed. Add the package x."))
    assert told == "src/Dockerfile, line 2: collectstatic failed: the module x is not installed. Add the package x.\n"


def test_a_failure_that_says_all_itself_is_left_alone() -> None:
    assert explain(Failure("ModuleNotFoundError: No module named 'x'\nexit status 1", FILE, "FROM a", SOURCE, own=False)) == ""
    assert explain(Failure("FileNotFoundError: [Errno 2] No such file or directory: 'readme'\nexit status 1", FILE, "FROM a", SOURCE, own=False)) == ""


def test_a_builds_reason_is_told_though_much_was_said_after_it(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUN pip install psycopg2\n", encoding="utf-8")
    build = image_build.Build({"log": tmp_path / "log", "source": tmp_path, "dockerfile": tmp_path / "Dockerfile", "ref": "x", "storage": tmp_path})
    with pytest.raises(ImageError) as error:
        build.run("sh", "-c", "echo Collecting psycopg2; echo Error: pg_config executable not found; seq 1 60; exit 1")
    assert "psycopg2 has no wheel for this Python and cannot be compiled: pg_config is missing" in str(error.value)
    assert str(error.value).splitlines()[-1] == "60"
    assert "\n45\n" not in str(error.value)
