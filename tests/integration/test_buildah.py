"""Builds with the real buildah, in a storage of its own, from a shell and nothing else: a second each."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import build_network, user
from ansible_collections.berth.platform.plugins.module_utils.image.prune import prune_buildah
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError
from ansible_collections.berth.platform.plugins.modules import image_build
from simulated_machine import INSIDE, MACHINE, NEIGHBOUR, Machine

# Copies with what a shell has in itself.
TAKE = 'while read -r line; do echo "$line"; done <{} >{}'


class Project:
    """A source with a shell, and its builds."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.source = directory, directory / "source"
        self.add(shutil.which("dash") or "/bin/sh", "/bin/sh")

    def add(self, program: str, name: str) -> None:
        """Have a program of this machine in the source, with its libraries."""
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout)
        for path, target in [(program, name), *((library, library) for library in libraries)]:
            (self.source / "root" / target.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, self.source / "root" / target.lstrip("/"))

    def perl(self, *lines: str, **variables: str) -> dict[str, str]:
        """Build what runs a program as root, whose output is the file ``seen``; ``$variables`` in it are these."""
        self.add("/usr/bin/perl", "/bin/perl")
        self.write(script="\n".join(["open STDOUT, '>', '/seen'; $SIG{ALRM} = sub { exit }; alarm 20;", *lines]))
        self.write(Dockerfile="FROM scratch\nCOPY root/ /\nCOPY script /\nRUN perl /script\n")
        return self.build()

    def write(self, **files: str) -> None:
        """Write files of the source; ``_`` in a name is a dot."""
        for name, text in files.items():
            (self.source / name.replace("_", ".")).write_text(text)

    def build(self, **options: object) -> dict[str, str]:
        """Build, and return the files in the image's last layers that are not in the shell's, by name."""
        parameters = {
            "source": str(self.source),
            "dockerfile": str(self.source / "Dockerfile"),
            "arguments": {},
            "bases": {},
            "mirrors": {},
            "registry": None,
            "repository": None,
            "tags": None,
            "username": "",
            "password": "",
            "ref": "localhost/project:1",
            "archive": str(self.directory / "a-1.tar"),
            "storage": str(self.directory / "storage"),
            "log": str(self.directory / "log"),
        }
        (self.directory / "log").write_text("")
        image_build.Build({**parameters, **options}).buildah()
        found = {}
        with tarfile.open(self.directory / "a-1.tar") as archive:
            [manifest] = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
            for layer in manifest["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(layer)) as files:
                    for member in files:
                        if member.isfile() and not member.name.startswith(("bin/", "etc/", "lib", "usr/")):
                            found[member.name] = files.extractfile(member).read().decode()  # type: ignore[union-attr]
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project."""
    return Project(tmp_path)


def test_what_a_build_mounts_is_what_it_is_now_whatever_lies_in_the_cache(project: Project) -> None:
    project.write(
        Dockerfile=(
            "FROM scratch AS shell\nCOPY root/ /\n"
            f"FROM shell AS made\nCOPY stage /\nRUN {TAKE.format('/stage', '/made')}\n"
            "FROM shell\nCOPY code /code\n"
            f"RUN --mount=from=made,source=/,target=/mnt {TAKE.format('/mnt/made', '/from-stage')}\n"
            f"RUN --mount=type=bind,source=context,target=/context {TAKE.format('/context', '/from-context')}\n"
        ),
        stage="stage 1\n",
        context="context 1\n",
        code="code 1\n",
    )
    first = {"code": "code 1\n", "from-stage": "stage 1\n", "from-context": "context 1\n"}
    assert project.build() == first
    for name, key in {"code": "code", "stage": "from-stage", "context": "from-context"}.items():
        project.write(**{name: f"{name} 2\n"})
        assert project.build() == (first := {**first, key: f"{name} 2\n"}), f"{name} was changed"
    project.write(stage="stage 1\n")
    assert project.build()["from-stage"] == "stage 1\n", "it was changed back"
    assert project.build() == {**first, "from-stage": "stage 1\n"}
    assert (project.directory / "log").read_text().count("Using cache") >= 5, "what is as it was comes from the cache"


def test_layers_of_an_earlier_period_are_built_again_and_those_of_this_one_are_not(project: Project) -> None:
    project.write(Dockerfile=f"FROM scratch\nCOPY root/ /\nRUN {TAKE.format('/proc/sys/kernel/random/uuid', '/made')}\n")
    periods = ("", "2026-10-01", "2026-10-01", "2026-10-31", "2026-10-31")
    unknown, first, first_again, second, second_again = [project.build(period=period, repository="polls")["made"] for period in periods]
    assert first != unknown, "nobody knows how old the layers are"
    assert first_again == first
    assert second not in (unknown, first)
    assert second_again == second


def test_of_a_repositorys_images_the_layers_of_the_newest_are_kept(project: Project) -> None:
    log = project.directory / "storage" / "project.log"
    log.parent.mkdir()
    for number in range(5):
        project.write(Dockerfile=f"FROM scratch\nCOPY root/ /\nRUN {TAKE.format('/proc/sys/kernel/random/uuid', f'/made-{number}')}\nCOPY code /\n")
        project.write(code=f"{number}\n")
        log.write_text("")
        made = project.build(ref=f"localhost/project:{number}", log=str(log))
        prune_buildah(project.directory / "storage", "localhost/project")
    project.write(code="edited\n")
    assert project.build(ref="localhost/project:5", log=str(log)) == {**made, "code": "edited\n"}


def test_every_stage_of_a_new_period_is_built_again(project: Project) -> None:
    run = f"RUN {TAKE.format('/proc/sys/kernel/random/uuid', '/made')}\n"
    project.write(Dockerfile=f"FROM scratch AS shell\nCOPY root/ /\nFROM shell \\\n  AS first\n{run}FROM shell\nCOPY --from=first /made /taken\n{run}")
    before = project.build(period="2026-10-01", repository="polls")
    after = project.build(period="2026-10-31", repository="polls")
    assert set(before.items()) & set(after.items()) == set()
    assert project.build(period="2026-10-31", repository="polls") == after


def test_the_source_is_not_written_to_by_a_build_that_mounts_it(project: Project) -> None:
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN --mount=source=file,target=/file,rw echo changed >/file\n", file="as it was\n")
    project.build()
    assert (project.source / "file").read_text() == "as it was\n"


def test_what_is_ignored_is_in_no_mount(project: Project) -> None:
    project.write(
        Dockerfile="FROM scratch\nCOPY root/ /\nRUN --mount=target=/mnt echo /mnt/* >/names\n",
        _dockerignore="secret\n.dockerignore\nroot\n!root\n",
        secret="",
    )
    assert project.build()["names"] == "/mnt/Dockerfile /mnt/root\n"


def test_what_run_runs_gets_the_proxies_of_this_machine_and_no_layer_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "internal.example")
    project.write(Dockerfile='FROM scratch\nCOPY root/ /\nRUN echo "${HTTPS_PROXY#*@} $no_proxy" >/seen\n')
    assert project.build() == {"seen": "127.0.0.1:9 internal.example\n"}
    assert b"s3cret" not in (project.directory / "a-1.tar").read_bytes()


def test_a_shell_that_the_dockerfile_names_runs_its_commands_and_a_flag_of_buildkits_is_no_obstacle(project: Project) -> None:
    text = 'FROM scratch\nCOPY --link root/ /\nSHELL ["/bin/sh", "{}"]\nRUN (exit 1); echo went on >/seen\n'
    project.write(Dockerfile=text.format("-c"))
    assert project.build() == {"seen": "went on\n"}
    project.write(Dockerfile=text.format("-ec"))
    with pytest.raises(ImageError, match="buildah failed"):
        project.build()


# --- A build stays a build -----------------------------------------------------
def test_what_run_runs_does_not_climb_out_to_the_files_of_this_machine(project: Project, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("s3cret")
    climb = "mkdir 'out'; chroot 'out'; chdir '..' for 1 .. 64; chroot '.';"
    assert project.perl(climb, "my $file;", f"print open($file, '<', '{secret}') ? <$file> : 'climbed nowhere'")["seen"] == "climbed nowhere"


def test_what_run_runs_sees_no_process_and_no_disk_of_this_machine_and_ends_none(project: Project) -> None:
    victim = subprocess.Popen(["sleep", "60"])
    try:
        seen = project.perl(
            f"print kill(0, {victim.pid}) ? 'ends' : 'no', -e '/proc/{victim.pid}/cmdline' ? ' sees' : ' no';",
            "opendir(my $devices, '/dev'); print map { \" $_\" } grep { -b \"/dev/$_\" or $_ eq 'kmsg' } readdir($devices)",
        )
    finally:
        victim.kill()
        victim.wait()
    assert seen["seen"] == "no no"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Return a machine of its own, and another that it reaches."""
    for name in (*image_build.PROXIES, *(name for name in os.environ if name.startswith("PIP_"))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with Machine() as made:
        yield made


# Asks an address by TCP and prints what it gets; then by UDP, for a name.
ASK = """
sub ask { my ($kind, $host, $port, $say) = @_; socket(my $socket, 2, $kind, 0);
    connect($socket, pack('S n C4 x8', 2, $port, split(/[.]/, $host))) or return 'no';
    syswrite($socket, $say); my $got = ''; return sysread($socket, $got, 99) ? $got : 'no' }
"""


def test_a_build_reaches_other_machines_and_nothing_of_this_one_but_what_its_settings_name(
    project: Project, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {
        "loopback": "127.0.0.1",
        "own": MACHINE,
        "container": INSIDE,
        "metadata": "169.254.169.254",
        "other": NEIGHBOUR,
        "index": "127.0.0.1",
        "proxy": MACHINE,
    }
    ports = {name: machine.serve(name, address, there=name in ("metadata", "other")) for name, address in places.items()}
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://me:s3cret@localhost:{ports['index']}/simple")
    monkeypatch.setenv("https_proxy", f"{places['proxy']}:{ports['proxy']}")
    asks = [f"print ask(1, '{address}', {ports[name]}, 'hello'), ' ';" for name, address in places.items()]
    assert machine.run(lambda: project.perl(ASK, *asks)["seen"]) == "no no no no other index proxy "
    log = (project.directory / "log").read_text()
    assert f"did not reach {MACHINE}:{ports['own']}: refused, because it is this machine." in log
    assert f"did not reach 169.254.169.254:{ports['metadata']}: refused" in log


def test_a_build_asks_for_names_where_this_machine_does_be_it_its_own_loopback(project: Project, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_network, "nameservers", lambda: ["127.0.0.53"])
    machine.serve("udp", "127.0.0.53", 53, kind=socket.SOCK_DGRAM)
    machine.serve("tcp", "127.0.0.53", 53)
    asks = [f"print ask({kind}, '{server}', 53, 'id'), ' ';" for kind in (2, 1) for server in ("127.0.0.53", "8.8.8.8")]
    assert machine.run(lambda: project.perl(ASK, *asks)["seen"]) == "id:udp id:udp tcp tcp "


def test_a_build_that_fails_says_what_of_this_machine_it_asked_for_in_vain(project: Project, machine: Machine) -> None:
    port = machine.serve("own", MACHINE)
    with pytest.raises(ImageError, match=rf"\AThe build did not reach {MACHINE}:{port}: refused, because it is this machine\.\nOn this machine, a build"):
        machine.run(lambda: project.perl(ASK, f"exit(ask(1, '{MACHINE}', {port}, 'hello') eq 'no')"))


def test_where_no_container_starts_the_build_is_refused_with_the_reason(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "runtime"
    runtime.write_text("#!/bin/sh\necho 'unable to apply cgroup configuration: read-only file system' >&2; exit 1\n")
    runtime.chmod(0o755)
    monkeypatch.setenv("BUILDAH_RUNTIME", str(runtime))
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN exit 0\n")
    with pytest.raises(ImageError, match=r"cannot start a container for RUN: \S+/runtime says: unable to apply cgroup .*: read-only .*Install runc"):
        project.build()


def test_where_there_is_no_network_of_its_own_the_build_is_refused_with_the_reason(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(flags: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "unshare", refuse)
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN exit 0\n")
    with pytest.raises(ImageError, match=r"cannot give a build its own network \(a network namespace: Operation not permitted\).* Build as root"):
        project.build()


def test_the_user_that_an_image_names_is_looked_up_in_it(project: Project) -> None:
    (project.source / "root/etc").mkdir()
    (project.source / "root/etc/passwd").write_text("root:x:0:0::/:/bin/sh\napp:x:1234:99::/:/bin/sh\n")
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nCOPY code /code\nUSER app\n", code="code\n")
    project.build()
    assert user.numbers(user.of_archive(project.directory / "a-1.tar")) == "1234:99"


def test_an_image_that_only_a_stage_without_use_names_is_not_needed(project: Project) -> None:
    project.write(Dockerfile="FROM absent.example/debug AS debug\nFROM scratch\nCOPY root/ /\nCOPY code /code\n", code="code\n")
    assert project.build() == {"code": "code\n"}


def test_a_build_that_fails_leaves_no_container_no_mount_and_no_context(project: Project) -> None:
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nRUN exit 3\n")
    with pytest.raises(ImageError, match="buildah failed"):
        project.build()
    storage = project.directory / "storage"
    assert sorted(path.name for path in storage.iterdir()) == ["lock", "root", "run"]
    assert str(storage) not in Path("/proc/mounts").read_text()
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    assert subprocess.run([*buildah, "containers", "--quiet"], capture_output=True, text=True, check=True).stdout == ""


# --- What is in it -----------------------------------------------------------------
def test_a_build_lists_what_its_image_has_of_all_its_layers_and_leaves_no_container(project: Project) -> None:
    lists = {"var/lib/dpkg/status": "Package: base\nStatus: install ok installed\nVersion: 1\n", "a.dist-info/METADATA": "Name: A\nVersion: 2\n"}
    for name, text in lists.items():
        (project.source / "more" / name).parent.mkdir(parents=True, exist_ok=True)
        (project.source / "more" / name).write_text(text)
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nCOPY more/ /\nRUN echo >/b.egg-info\n")
    bill = project.directory / "sboms" / "content-1.cdx.json"
    project.build(repository="polls", sbom=str(bill))
    found = json.loads(bill.read_text())
    assert [each["purl"] for each in found["components"]] == ["pkg:deb/debian/base@1", "pkg:pypi/a@2"]
    assert found["metadata"]["component"]["properties"][0]["value"].startswith("sha256:")
    storage = project.directory / "storage"
    assert str(storage) not in Path("/proc/mounts").read_text()
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "overlay"]
    assert subprocess.run([*buildah, "containers", "--quiet"], capture_output=True, text=True, check=True).stdout == ""
    assert f"{bill} lists what is in the image" in (project.directory / "log").read_text()


def test_an_image_whose_files_cannot_be_read_is_built_all_the_same_and_the_log_says_why(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: image_build.Build, *command: str) -> str:
        raise ImageError("mount: permission denied")

    monkeypatch.setattr(image_build.Build, "container", refuse)
    project.write(Dockerfile="FROM scratch\nCOPY root/ /\nCOPY code /code\n", code="code\n")
    bill = project.directory / "content-1.cdx.json"
    bill.write_text("of an earlier build")
    assert project.build(repository="polls", sbom=str(bill)) == {"code": "code\n"}
    assert not bill.exists()
    assert f"{bill} is not written: mount: permission denied" in (project.directory / "log").read_text()
