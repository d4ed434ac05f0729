"""Which files of a directory go into an image, and which changes give another one. buildah is the judge."""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image.context import content_hash, context, lay_out
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError
from ansible_collections.berth.platform.plugins.modules import image_info
from module_run import run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a build context with a Dockerfile and a program."""
    for name, text in {"Dockerfile": "FROM scratch\n", "app/manage.py": "print(1)\n", "app/static/style.css": "a {}\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def hashed(source: Path, **inputs: str) -> str:
    """Return the content hash of ``source``."""
    return content_hash(source, source / "Dockerfile", inputs)


def files(source: Path, builder: str = "", dockerfile: str = "Dockerfile") -> list[str]:
    """Return what of the context goes into the build and is no directory, the Dockerfile and ignore files aside."""
    entries = context(source, source / dockerfile, builder)
    return [entry.name for entry in entries if not stat.S_ISDIR(entry.info.st_mode) and not entry.name.endswith(("Dockerfile", "ignore"))]


def names(source: Path, *rules: str | bytes) -> list[str]:
    """Return the files of the context under ``rules`` of .dockerignore."""
    (source / ".dockerignore").write_bytes(b"\n".join(rule if isinstance(rule, bytes) else rule.encode() for rule in rules) + b"\n")
    return files(source)


# --- The content's hash ----------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        lambda source: (source / "app/manage.py").write_text("print(2)\n"),
        lambda source: (source / "app/manage.py").chmod(0o755),
        lambda source: (source / "app/manage.py").chmod(0o600),
        lambda source: (source / "app/manage.py").chmod(0o4644),
        lambda source: (source / "app/static").chmod(0o700),
        lambda source: (source / "app/manage.py").rename(source / "app/other.py"),
        lambda source: (source / "app/new.py").touch(),
        lambda source: (source / "app/new").mkdir(),
        lambda source: (source / "app/static/style.css").unlink(),
        lambda source: (source / "Dockerfile").write_text("FROM scratch\nUSER 1\n"),
        lambda source: (source / "app/link").symlink_to("manage.py"),
        lambda source: (source / "app/directory").symlink_to("static"),
        lambda source: (source / "app/nowhere").symlink_to("none"),
        lambda source: os.mkfifo(source / "app/pipe"),
        lambda source: (source / os.fsdecode(b"app/caf\xe9.py")).touch(),
        lambda source: (source / "app/two\nlines.py").touch(),
        lambda source: (source / ".git").mkdir(),
        lambda source: os.setxattr(source / "app/manage.py", "user.kind", b"program"),
    ],
    ids=[
        "content",
        "executable",
        "readable by its owner alone",
        "set-user-id",
        "a directory's mode",
        "name",
        "added file",
        "added empty directory",
        "removed file",
        "Dockerfile",
        "link",
        "link to a directory",
        "link to nowhere",
        "pipe",
        "a name that is no UTF-8",
        "a name of two lines",
        "git's own directory",
        "extended attribute",
    ],
)
def test_what_goes_into_the_image_changes_the_hash(source: Path, change: Callable[[Path], object]) -> None:
    before = hashed(source)
    change(source)
    assert hashed(source) != before


def test_another_target_of_a_link_changes_the_hash(source: Path) -> None:
    (source / "link").symlink_to("app")
    before = hashed(source)
    (source / "link").unlink()
    (source / "link").symlink_to("app/static")
    assert hashed(source) != before


def test_a_build_argument_changes_the_hash(source: Path) -> None:
    assert len({hashed(source), hashed(source, PYTHON="3.13"), hashed(source, PYTHON="3.14")}) == 3


def test_moving_bytes_from_one_file_to_the_next_changes_the_hash(source: Path) -> None:
    (source / "a").write_text("12")
    (source / "b").write_text("3")
    before = hashed(source)
    (source / "a").write_text("1")
    (source / "b").write_text("23")
    assert hashed(source) != before


def listen(path: Path) -> None:
    """Leave a socket at ``path``, which is made with a short name: a socket's is limited."""
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


@pytest.mark.parametrize(
    "change",
    [
        lambda source: os.utime(source / "app/manage.py", (1, 1)),
        lambda source: (source / ".git/HEAD").write_text("ref: refs/heads/other\n"),
        lambda source: (source / "app/notes.log").write_text("ignored\n"),
        lambda source: (source / "app/notes.log").mkdir(mode=0o700),
        lambda source: listen(source / "app/socket"),
        lambda source: source.chmod(0o700),
    ],
    ids=["time", "ignored directory", "ignored file", "ignored directory that is added", "socket", "the mode of the context itself"],
)
def test_what_does_not_go_into_the_image_keeps_the_hash(source: Path, change: Callable[[Path], object]) -> None:
    (source / ".dockerignore").write_text("**/*.log\n.git\n")
    (source / ".git").mkdir()
    before = hashed(source)
    change(source)
    assert hashed(source) == before


def test_the_same_tree_elsewhere_has_the_same_hash(source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "source"
    subprocess.run(["cp", "-r", str(source), str(copy)], check=True)
    assert hashed(copy) == hashed(source)


def test_a_missing_dockerfile_names_it_and_the_variables(source: Path) -> None:
    (source / "Dockerfile").unlink()
    with pytest.raises(ImageError, match=r"Dockerfile cannot be read: No such file.*berth_app_dockerfile"):
        hashed(source)


def test_a_file_that_cannot_be_read_is_named_whatever_its_name_is(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(b"app/caf\xe9.py")
    (source / name).touch()
    real = open

    def refuse(path: object, *arguments: object, **options: object) -> object:
        if os.fspath(path).endswith(name):  # type: ignore[arg-type]
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ImageError, match=r"app/caf\\xe9\.py cannot be read: Permission denied\. Change its mode, or name it in \.dockerignore\."):
        hashed(source)


# --- .dockerignore: the examples of Docker's documentation, and the rules that projects write ----
EVERYTHING = ["app/manage.py", "app/static/style.css"]
FORMS: dict[str, tuple[list[str | bytes], list[str]]] = {
    "no rule": ([], EVERYTHING),
    "comments and empty lines": (["# app", "", "  ", "#app"], EVERYTHING),
    "a comment after a space is a rule": ([" #app", " # app"], EVERYTHING),
    "a directory and what is below it": (["app/static"], ["app/manage.py"]),
    "a slash at the end": (["app/static/"], ["app/manage.py"]),
    "slashes at the end": (["app/static//"], ["app/manage.py"]),
    "a slash before": (["/app/static"], ["app/manage.py"]),
    "a dot before": (["./app/static"], ["app/manage.py"]),
    "a dot at the end": (["app/static/."], ["app/manage.py"]),
    "two dots within": (["app/none/../static"], ["app/manage.py"]),
    "above the context": (["../app"], EVERYTHING),
    "the context itself": ([".", "/", "./"], EVERYTHING),
    "spaces around": (["  app/static \t"], ["app/manage.py"]),
    "lines of Windows": (["app/static\r", "#\r"], ["app/manage.py"]),
    "a byte-order mark": ([b"\xef\xbb\xbfapp/static"], ["app/manage.py"]),
    "a name below the root": (["manage.py"], EVERYTHING),
    "a star stops at a slash": (["*.css", "app/*.css"], EVERYTHING),
    "two stars before": (["**/*.css"], ["app/manage.py"]),
    "two stars after": (["app/**"], []),
    "two stars between": (["app/**/style.css"], ["app/manage.py"]),
    "two stars between for no directory": (["app/**/manage.py"], ["app/static/style.css"]),
    "two stars alone": (["**"], []),
    "three stars": (["***"], []),
    "two stars and no slash": (["**.css"], ["app/manage.py"]),
    "a question mark": (["app/manage.p?"], ["app/static/style.css"]),
    "a question mark is no slash": (["app?manage.py"], EVERYTHING),
    "one of some characters": (["app/[l-n]anage.py"], ["app/static/style.css"]),
    "none of some characters": (["app/manage.p[^y]", "app/static/style.[^p]*"], ["app/manage.py"]),
    "an exclamation mark among some characters": (["app/manage.p[!y]"], ["app/static/style.css"]),
    "an escaped character": ([r"app/\[manage.py", r"app/stat\*"], EVERYTHING),
    "characters that expressions know": (["app/(manage|static)", "app/manage+py", "app/manage.py$", "app/{static}"], EVERYTHING),
    "all but one directory": (["*", "!app"], EVERYTHING),
    "an exception with a dot before": (["*", "!./app"], EVERYTHING),
    "an exception with a slash before": (["*", "!/app"], EVERYTHING),
    "an exception with a space before": (["*", "! app"], EVERYTHING),
    "a rule after an exception": (["*", "!app", "app/static"], ["app/manage.py"]),
    "an exception below an ignored directory": (["app", "!app/static/style.css"], ["app/static/style.css"]),
    "an exception with a star below an ignored directory": (["app", "!a*/static"], ["app/static/style.css"]),
    "an exception with two stars below an ignored directory": (["app", "!**/*.css"], ["app/static/style.css"]),
    "an exception for an ignored directory within one": (["*", "!app/static"], ["app/static/style.css"]),
    "the last rule decides": (["!app/manage.py", "app/*.py"], ["app/static/style.css"]),
    # Docker leaves it out all the same; buildah does not.
    "an exception for the directory of what is ignored": (["app/static", "!app"], EVERYTHING),
    "the Dockerfile and the rules themselves": (["Dockerfile", ".dockerignore"], EVERYTHING),
    # Docker takes the d for any digit. Nobody means that; the rule is not looked at.
    "a path of Windows": ([r"app\dynamic", r"app\static"], EVERYTHING),
    "an exception as a path of Windows": (["app", r"!app\d"], EVERYTHING),
}


@pytest.mark.parametrize(("rules", "left"), FORMS.values(), ids=FORMS)
def test_a_rule_means_what_it_means_to_docker(source: Path, rules: list[str | bytes], left: list[str]) -> None:
    assert names(source, *rules) == left


def test_hidden_files_at_any_depth_are_ignored_and_other_names_with_a_dot_are_not(source: Path) -> None:
    (source / ".env").touch()
    (source / "app/.env").touch()
    assert names(source, "**/.*") == EVERYTHING


def test_a_byte_that_is_no_character_is_any_such_byte_to_an_expression_and_itself_elsewhere(source: Path) -> None:
    for name in (b"app/a\xfe", b"app/b\xfe"):
        (source / os.fsdecode(name)).touch()
    assert names(source, b"app/a\xff", b"app/b\xff*") == [os.fsdecode(b"app/a\xfe"), *EVERYTHING]


def test_a_rule_covers_a_directory_whose_files_have_names_of_two_lines(source: Path) -> None:
    (source / "app/two\nlines").touch()
    assert names(source, "app") == []


def test_our_own_rules_keep_the_programs_and_leave_out_the_rest(source: Path) -> None:
    rules = (Path(__file__).resolve().parents[2] / ".dockerignore").read_text().splitlines()
    for name in ("README.md", "app/db.sqlite3", "app/.coverage", "app/polls/__pycache__/models.pyc", ".cache/secrets/key", ".git/HEAD"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    assert names(source, *rules) == EVERYTHING


def test_the_mode_of_an_ignored_directory_counts_where_something_below_it_goes_into_the_image(source: Path) -> None:
    (source / ".dockerignore").write_text("app\n!app/static/style.css\n")
    before = hashed(source)
    (source / "app").chmod(0o700)
    assert hashed(source) != before


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("[", r"write \\\[ for the character itself"),
        ("app/[a-", r"write \\\[ for the character itself"),
        ("[]", r"write \\\[ for the character itself"),
        ("[z-a]", "ends before it starts"),
        ("app\\", "directories are separated by /"),
        ("!", "it names nothing"),
        ("! ", "it names nothing"),
        ("!/", "it names nothing"),
    ],
)
def test_a_rule_that_no_builder_takes_is_refused_with_its_file_line_and_text(source: Path, rule: str, reason: str) -> None:
    with pytest.raises(ImageError) as refused:
        names(source, "# rules", "*.log", rule)
    assert str(refused.value).startswith(f"{source / '.dockerignore'}, line 3: {rule.strip()} cannot be understood: ")
    assert re.search(reason, str(refused.value))


def test_rules_that_cannot_be_read_are_named(source: Path) -> None:
    (source / ".dockerignore").mkdir()
    with pytest.raises(ImageError, match=r"\.dockerignore cannot be read: Is a directory"):
        hashed(source)


@pytest.mark.parametrize(
    ("there", "docker", "buildah"),
    [
        ([".dockerignore"], "a", "a"),
        ([".dockerignore", ".containerignore"], "a", "b"),
        ([".containerignore"], "", "b"),
        ([".dockerignore", "Dockerfile.dockerignore"], "c", "c"),
        ([".dockerignore", "Dockerfile.containerignore"], "a", "d"),
        ([".dockerignore", "Dockerfile.containerignore", "Dockerfile.dockerignore"], "c", "c"),
        (["other.dockerignore"], "", ""),
    ],
)
def test_each_builder_has_its_own_place_for_the_rules(tmp_path: Path, there: list[str], docker: str, buildah: str) -> None:
    every = {".dockerignore": "a", ".containerignore": "b", "Dockerfile.dockerignore": "c", "Dockerfile.containerignore": "d", "other.dockerignore": "e"}
    for letter in every.values():
        (tmp_path / letter).touch()
    for name in there:
        (tmp_path / name).write_text(every[name])
    assert [letter for letter in every.values() if letter not in files(tmp_path, "docker")] == list(docker)
    assert [letter for letter in every.values() if letter not in files(tmp_path, "buildah")] == list(buildah)
    assert [letter for letter in every.values() if letter not in files(tmp_path)] == ([docker] if docker == buildah and docker else [])


def test_rules_beside_a_dockerfile_in_a_directory_are_for_the_whole_context(source: Path) -> None:
    (source / "docker").mkdir()
    (source / "docker/Dockerfile").touch()
    (source / "docker/Dockerfile.dockerignore").write_text("app/static\n")
    assert files(source, dockerfile="docker/Dockerfile") == ["app/manage.py"]


# --- What buildah is given ---------------------------------------------------
def laid_out(source: Path, target: Path) -> list[tuple[str, int, bytes]]:
    """Return what lies in ``target`` once the context is laid out there."""
    target.mkdir()
    lay_out(context(source, source / "Dockerfile", "buildah"), source, target)
    return listing(target)


def listing(top: Path) -> list[tuple[str, int, bytes]]:
    """Return everything below a directory: name, type and mode, and content or target."""
    found = []
    for directory, directories, others in os.walk(top):
        for path in [Path(directory, name) for name in directories + others]:
            mode = path.lstat().st_mode
            content = os.fsencode(os.readlink(path)) if stat.S_ISLNK(mode) else path.read_bytes() if stat.S_ISREG(mode) else b""
            found.append((str(path.relative_to(top)), 0 if stat.S_ISLNK(mode) else mode, content))
    return sorted(found)


def test_buildah_is_given_the_context_as_it_is_and_nothing_of_what_is_ignored(source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (source / "app/nowhere").symlink_to("none")
    (source / "app/set").touch(0o4711)
    (source / "app/set").chmod(0o4711)
    (source / "app/static").chmod(0o555)
    os.mkfifo(source / "app/pipe", 0o600)
    whole = listing(source)
    (source / ".dockerignore").write_text("secrets\n.dockerignore\n")
    (source / "secrets").mkdir()
    (source / "secrets/key").touch()
    assert laid_out(source, tmp_path_factory.mktemp("out") / "context") == whole


def test_a_build_leaves_nothing_of_itself_in_the_source(source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = [os.lstat(path) for path in sorted(source.rglob("*"))]
    target = tmp_path_factory.mktemp("out") / "context"
    laid_out(source, target)
    (target / "app/manage.py").write_text("changed\n")
    fields = ("st_mtime_ns", "st_ctime_ns", "st_nlink", "st_size")
    assert [[getattr(one, field) for field in fields] for one in before] == [
        [getattr(os.lstat(path), field) for field in fields] for path in sorted(source.rglob("*"))
    ]


# --- buildah as the judge ----------------------------------------------------
# Forms of rules that this buildah and Docker read alike: what they read differently is built as Docker reads it.
PARTS = ["a", "b", "ab", "a.b", "app", "a b", ".hid", "é", r"a\*", r"\#a", r"\!a", "..", ".", "*", "**", "?", "a*", "*b", "**", "[ab]", "[^a]", "[a-c]*", "*.b"]
NAMES = ["a", "b", "ab", "a.b", "app", "a b", ".hid", "#a", "!a", "é", "a*", "cafe", os.fsdecode(b"caf\xe9")]
MODES = [0o644, 0o600, 0o755, 0o4755, 0o444]
# By hand with other trees each time, 200 of them: BERTH_SEED=random python -m pytest -q tests/unit/test_context.py -k judge
SEED = os.environ.get("BERTH_SEED", "1")
TREES = 12 if SEED == "1" else 200


def grow(chance: random.Random, directory: Path, depth: int = 0) -> None:
    """Fill a directory with files, links, pipes and directories."""
    for name in chance.sample(NAMES, chance.randint(1, 5)):
        path = directory / name
        kind = chance.random()
        if depth < 3 and kind < 0.45:
            path.mkdir()
            grow(chance, path, depth + 1)
            path.chmod(chance.choice([0o755, 0o700, 0o1777]))
        elif kind < 0.55:
            path.symlink_to(chance.choice(["a", "../a", "/a", "nowhere", "."]))
        elif kind < 0.6:
            os.mkfifo(path)
        else:
            path.write_text(name.encode("utf-8", "replace").decode())
            path.chmod(chance.choice(MODES))


def rule(chance: random.Random) -> str:
    """Return a line of an ignore file."""
    text = "/".join(chance.choice(PARTS) for _ in range(chance.choice([1, 1, 2, 2, 3])))
    text = chance.choice(["!", "", ""]) + chance.choice(["", "", "./"]) + text + chance.choice(["", "", "/", " ", "\r", "/."])
    # buildah takes the mark of an exception for the beginning of a name where .. follows.
    return text.replace("..", "a") if text.startswith("!") else text


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], str, Path]]:
    """Yield buildah with a storage of its own, an empty container in it, and where that container's files are."""
    storage = tmp_path_factory.mktemp("storage")
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "vfs"]
    name = subprocess.run([*buildah, "from", "scratch"], check=True, capture_output=True, text=True).stdout.strip()
    mounted = subprocess.run([*buildah, "mount", name], check=True, capture_output=True, text=True).stdout.strip()
    yield buildah, name, Path(mounted)
    subprocess.run([*buildah, "rm", name], check=True, capture_output=True)


@pytest.mark.skipif(not shutil.which("buildah"), reason="buildah judges.")
def test_the_judge_finds_in_the_image_what_the_hash_sees(tmp_path: Path, container: tuple[list[str], str, Path]) -> None:
    """Both what buildah makes of the rules by itself, and what it is given here."""
    buildah, name, root = container
    seed = random.randrange(10**9) if SEED == "random" else int(SEED)
    chance = random.Random(seed)
    seen = 0
    for number in range(TREES):
        tree, out = tmp_path / f"tree{number}", tmp_path / f"out{number}"
        tree.mkdir()
        grow(chance, tree)
        rules = [rule(chance) for _ in range(chance.randint(1, 4))]
        (tree / ".dockerignore").write_text("\n".join(rules))
        given = laid_out(tree, out)
        told = f"seed {seed}, tree {number}, rules {rules}"
        assert [entry for entry in listing(tree) if entry[0] in dict.fromkeys(each[0] for each in given)] == given, told

        def copied(directory: Path, target: str, *options: str) -> list[tuple[str, int, bytes]]:
            command = [*buildah, "copy", "--quiet", "--contextdir", str(directory), *options, name, str(directory), target]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{told}: {done.stderr}"  # noqa: B023
            return listing(root / target.strip("/"))

        assert copied(out, f"/given{number}", "--ignorefile", os.devnull) == given, told
        if given:  # it fails where it finds nothing to copy
            by_itself = [each for each in copied(tree, f"/own{number}", "--ignorefile", str(tree / ".dockerignore")) if not stat.S_ISDIR(each[1])]
            hashed_too = [each for each in given if not stat.S_ISDIR(each[1])]
            seen += len(by_itself)
            assert [each for each in by_itself if each not in hashed_too] == [], told
            # It does not look into an ignored directory for what an exception with a star may mean there.
            assert by_itself == hashed_too or any(re.match(r"!.*[*?[]", line) for line in rules), told
    assert seen > TREES, "most trees have something in them that is not ignored"


# --- The modules -------------------------------------------------------------
def test_a_name_that_is_no_utf_8_is_hashed_and_built(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source / os.fsdecode(b"app/caf\xe9.py")).touch()
    asked = {"source": str(source), "dockerfile": str(source / "Dockerfile"), "archives": str(source), "repository": "polls"}
    assert run(image_info, capsys, **asked)["content_tag"] == f"content-{hashed(source)}"


def test_a_rule_that_cannot_be_understood_ends_a_run_with_its_line(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source / ".dockerignore").write_text("a\n[\n")
    asked = {"source": str(source), "dockerfile": str(source / "Dockerfile"), "archives": str(source), "repository": "polls"}
    answer = run(image_info, capsys, **asked)
    assert answer["failed"] and ".dockerignore, line 2: [ cannot be understood" in answer["msg"]
