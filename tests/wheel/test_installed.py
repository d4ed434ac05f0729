"""The wheel in an environment of its own, as docs/installed.md has it: what is run from an empty directory finds all that it needs, and no clone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import ansible
import pytest

PROJECT = Path(__file__).resolve().parents[2]
# As little of a Django project as Berth takes.
SHOP = {
    "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
    "requirements.txt": "django\ngunicorn\npsycopg2-binary\n",
    "shop/__init__.py": "",
    "shop/settings.py": """import os
SECRET_KEY = os.environ["KEY"]
ROOT_URLCONF = "shop.urls"
STATIC_ROOT = "/static"
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": os.environ["DB_HOST"]}}
""",
    "shop/urls.py": "urlpatterns = []\n",
    "shop/wsgi.py": "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n",
}
INVENTORY = ("-i", "inventories/shop-dev")


class Installed(NamedTuple):
    """Berth without a clone: the environment that it is installed in, the current directory, and the project beside that."""

    environment: Path
    here: Path
    shop: Path

    @property
    def packages(self) -> Path:
        """Where the wheel is."""
        return next(self.environment.glob("lib/python*/site-packages"))

    @property
    def collection(self) -> Path:
        """Where Ansible finds it."""
        return self.packages / "ansible_collections/berth/platform"

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Return what a command of the environment did, which must never have named the clone."""
        home = self.environment.parent / "home"
        settings = {"HOME": str(home), "PATH": f"{self.environment}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [self.environment / "bin" / command, *arguments],
            cwd=self.here,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert str(PROJECT) not in done.stdout and "Traceback" not in done.stdout, done.stdout
        return done

    def playbook(self, *arguments: str) -> str:
        """Return what a playbook printed that ended well."""
        done = self.run("ansible-playbook", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def files(self) -> set[str]:
        """Return the files of the collection, bytecode left out."""
        return {str(path.relative_to(self.collection)) for path in self.collection.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def copy_tracked(target: Path) -> None:
    """Copy the files that git tracks as they are now: a directory of the clone has others besides, which hatchling would take along."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in listed.rstrip("\0").split("\0"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name, follow_symlinks=False)


def lend_packages(environment: Path, packages: Path) -> None:
    """Let an environment import what these tests' own does, by links that lead to all of it but Berth."""
    own = Path(ansible.__file__).parents[1]
    lent = environment / "lent"
    for directory in (own, own / "ansible_collections"):
        target = lent / directory.relative_to(own)
        target.mkdir()
        for entry in directory.iterdir():
            if entry.name not in ("ansible_collections", "berth", "berth.pth", "berth_start.py"):
                (target / entry.name).symlink_to(entry)
    (packages / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")
    for command in ("ansible-doc", "ansible-playbook"):
        shutil.copy2(Path(sys.executable).with_name(command), environment / "bin")  # starts the Python beside it


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Return Berth, installed from the wheel, in a directory with an inventory that it has made."""
    base = tmp_path_factory.mktemp("wheel")
    made = Installed(base / "environment", base / "here", base / "shop")
    copy_tracked(base / "tracked")
    # hatchling is one of the requirements: nothing is fetched.
    uv = ["uv", "--quiet", "--offline", "--no-cache"]
    subprocess.run([*uv, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", base, base / "tracked"], check=True)
    subprocess.run([*uv, "venv", "--python", sys.executable, made.environment], check=True)
    subprocess.run([*uv, "pip", "install", "--no-deps", "--python", made.environment, *base.glob("*.whl")], check=True)
    shutil.rmtree(base / "tracked")
    lend_packages(made.environment, made.packages)
    for name, text in SHOP.items():
        (made.shop / name).parent.mkdir(parents=True, exist_ok=True)
        (made.shop / name).write_text(text, encoding="utf-8")
    made.here.mkdir()
    return made


@pytest.fixture(scope="module")
def new(installed: Installed) -> str:
    """Return what was printed when the inventory was made."""
    return installed.playbook("berth.platform.new", "-e", "source=../shop", "-e", "env=shop-dev")


def test_a_new_inventory_is_written_into_the_current_directory(installed: Installed, new: str) -> None:
    written = {str(path.relative_to(installed.here)): path.read_text(encoding="utf-8") for path in installed.here.rglob("*") if path.is_file()}
    assert set(written) == {"inventories/shop-dev/hosts.yml", "inventories/shop-dev/group_vars/all/main.yml"}
    assert str(PROJECT) not in "".join(written.values())
    assert "ansible-playbook berth.platform.site -i inventories/shop-dev\n" in new


def test_the_wheels_own_settings_hold_and_ansible_warns_of_nothing(new: str) -> None:
    assert new.startswith("Write the inventory of a new environment\n") and "WARNING" not in new


def test_the_inventory_passes_preflight(installed: Installed, new: str) -> None:
    said = installed.playbook("berth.platform.site", *INVENTORY, "--tags", "preflight")
    assert "nothing changed" in said


def test_a_mistake_is_refused_with_its_file_and_line(installed: Installed, new: str) -> None:
    mistake = installed.here / "inventories/shop-dev/group_vars/all/mistake.yml"
    mistake.write_text("berth_app_replica: 3\n", encoding="utf-8")
    done = installed.run("ansible-playbook", "berth.platform.site", *INVENTORY)
    mistake.unlink()
    assert done.returncode != 0 and "1 problem, and nothing was changed" in done.stdout
    assert f"berth_app_replica: unknown variable, did you mean berth_app_replicas? ({mistake}:1)" in done.stdout


def test_a_run_without_an_inventory_is_refused(installed: Installed) -> None:
    done = installed.run("ansible-playbook", "berth.platform.site")
    assert done.returncode != 0 and "has no host in the group berth. Check the command's -i option" in done.stdout and "WARNING" not in done.stdout


def test_a_role_runs_its_modules_from_the_wheel(installed: Installed, new: str) -> None:
    assert "Dockerfile: Python" in installed.playbook("berth.platform.ops.dockerfile", *INVENTORY)
    assert "USER 10001" in (installed.shop / "Dockerfile").read_text(encoding="utf-8")


def test_every_playbook_is_called_by_its_name(installed: Installed, new: str) -> None:
    paths = sorted([*PROJECT.glob("playbooks/*.yml"), *PROJECT.glob("playbooks/ops/*.yml")])
    names = [f"berth.platform.{'.'.join(path.relative_to(PROJECT / 'playbooks').with_suffix('').parts)}" for path in paths]
    said = installed.playbook(*INVENTORY, "--syntax-check", *names)
    assert [f"playbook: {installed.collection / path.relative_to(PROJECT)}" for path in paths] == [line for line in said.splitlines() if line]


def test_the_modules_tell_their_documentation(installed: Installed) -> None:
    done = installed.run("ansible-doc", "-t", "module", "berth.platform.k8s_apply")
    assert done.returncode == 0 and f"> MODULE berth.platform.k8s_apply ({installed.collection}/plugins/modules/k8s_apply.py)" in done.stdout


def test_runs_leave_nothing_beside_the_wheels_own_files(installed: Installed, new: str) -> None:
    record = next(installed.packages.glob("berth_platform-*.dist-info/RECORD")).read_text(encoding="utf-8")
    prefix = "ansible_collections/berth/platform/"
    assert installed.files() == {line.split(",")[0].removeprefix(prefix) for line in record.splitlines() if line.startswith(prefix)}
