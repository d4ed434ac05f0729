"""Style sheets and scripts that a package.json builds: which one, by what, and as what instructions of a Dockerfile."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import dockerfile as dockerfiles
from ansible_collections.berth.platform.plugins.module_utils.image import project_dockerfile as generator
from ansible_collections.berth.platform.plugins.module_utils.image.assets import Assets
from ansible_collections.berth.platform.plugins.module_utils.image.project import Dependencies, Project, Settings, read_project
from ansible_collections.berth.platform.plugins.modules import image_build

BUILDS = {"scripts": {"build": "vite build"}}
PLAIN = Project(directory="", settings="shop.settings", wsgi="shop.wsgi:application", dependencies=Dependencies("requirements", "", ("requirements.txt",)))
DJANGO = {"manage.py": "django 'DJANGO_SETTINGS_MODULE', 'shop.settings'", "shop/settings.py": "DEBUG = False\n", "requirements.txt": "django\n"}

Files = dict[str, Any]


def found(source: Path, files: Files, package: Files | None = None, **given: str) -> tuple[Assets | None, tuple[str, ...]]:
    """Return what builds the assets of a project of some files, and its notes; ``package`` is its package.json."""
    for name, content in ({**DJANGO} | files | ({"package.json": package} if package else {})).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content if isinstance(content, str) else json.dumps(content))
    project = read_project(source, **given)
    return project.assets, project.notes


# --- Which one -----------------------------------------------------------------
@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({}, None),
        ({"package.json": BUILDS}, ""),
        ({"package.json": {"scripts": {"test": "jest", "build": ""}}}, None),
        ({"package.json": "{"}, None),
        ({"package.json": []}, None),
        ({"package.json": BUILDS, "theme/package.json": BUILDS}, ""),
        ({"package.json": {}, "theme/static_src/package.json": BUILDS}, "theme/static_src"),
        ({"docs/package.json": BUILDS, "node_modules/x/package.json": BUILDS}, None),
        ({"one/package.json": BUILDS, "two/package.json": BUILDS}, None),
    ],
)
def test_what_is_built_is_the_package_beside_or_above_manage_py_or_the_only_one(tmp_path: Path, files: Files, place: str | None) -> None:
    made, notes = found(tmp_path, files)
    assert (made.place if made else None) == place
    assert any("one, two, so none is run" in note for note in notes) is ("one/package.json" in files)


def test_a_project_below_takes_the_package_of_the_directory_above(tmp_path: Path) -> None:
    files = {f"web/{name}": text for name, text in DJANGO.items()} | {name: "" for name in DJANGO}
    made, _ = found(tmp_path, {**files, "package.json": BUILDS, "other/package.json": BUILDS})
    assert made is not None and made.place == ""


# --- By what ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("package", "files", "manager", "version", "locked"),
    [
        ({}, {"package-lock.json": "{}"}, "npm", "", True),
        ({}, {"npm-shrinkwrap.json": "{}"}, "npm", "", True),
        ({}, {}, "npm", "", False),
        ({"packageManager": "npm@10.1.0"}, {"package-lock.json": "{}"}, "npm", "", True),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "pnpm", "10", True),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm", "8", True),
        ({}, {"pnpm-lock.yaml": "lockfileVersion: 5.4\n"}, "pnpm", "7", True),
        ({"packageManager": "pnpm@9.12.0+sha512.abc"}, {"pnpm-lock.yaml": "lockfileVersion: '9.0'\n"}, "pnpm", "9.12.0", True),
        ({"packageManager": "pnpm@9.12.0"}, {}, "pnpm", "9.12.0", False),
        ({}, {"yarn.lock": "# yarn lockfile v1\n"}, "yarn", "1", True),
        ({}, {"yarn.lock": "__metadata:\n  version: 8\n"}, "yarn", "4", True),
        ({"packageManager": "yarn@3.6.4"}, {"yarn.lock": "__metadata:\n"}, "yarn", "3.6.4", True),
        ({"packageManager": "yarn@3.6.4"}, {"package-lock.json": "{}"}, "npm", "", True),
    ],
)
def test_the_manager_is_the_one_whose_lock_file_is_there(tmp_path: Path, package: Files, files: Files, manager: str, version: str, locked: bool) -> None:
    made, notes = found(tmp_path, files, BUILDS | package)
    assert made is not None
    assert (made.manager, made.version, made.locked) == (manager, version, locked)
    assert made.files == ("package.json", *files)
    assert any(f"`{manager} install` writes one" in note for note in notes) is not locked


@pytest.mark.parametrize(
    ("package", "files", "whole"),
    [
        ({}, {".npmrc": "", "pnpm-workspace.yaml": ""}, False),
        ({"devDependencies": {"vite": "^5"}}, {}, False),
        ({"workspaces": ["packages/*"]}, {}, True),
        ({"dependencies": {"ui": "file:../ui"}}, {}, True),
        ({"devDependencies": {"ui": "workspace:*"}}, {}, True),
        ({"scripts": {**BUILDS["scripts"], "postinstall": "patch-package"}}, {}, True),
        ({}, {".yarn/releases/yarn-4.cjs": ""}, True),
        ({}, {"patches/x.patch": ""}, True),
    ],
)
def test_an_installation_that_needs_more_than_the_package_files_gets_it(tmp_path: Path, package: Files, files: Files, whole: bool) -> None:
    made, _ = found(tmp_path, files, BUILDS | package)
    assert made is not None and made.whole is whole


@pytest.mark.parametrize(
    ("package", "files", "node", "file"),
    [
        ({}, {}, "", ""),
        ({}, {".nvmrc": "v22.11.0\n"}, "22", ".nvmrc"),
        ({}, {".node-version": "20"}, "20", ".node-version"),
        ({}, {".nvmrc": "lts/*\n"}, "", ""),
        ({"engines": {"node": "20.x"}}, {}, "20", "package.json"),
        ({"engines": {"node": "^22.1.0"}}, {}, "22", "package.json"),
        ({"engines": {"node": ">=18"}}, {}, "", ""),
        ({"engines": {"node": "20 || 22"}}, {}, "", ""),
        ({"engines": ["node"]}, {}, "", ""),
    ],
)
def test_a_node_without_a_choice_is_known(tmp_path: Path, package: Files, files: Files, node: str, file: str) -> None:
    made, _ = found(tmp_path, files, BUILDS | package)
    assert made is not None and (made.node, made.node_file) == (node, file)


@pytest.mark.parametrize("settings", ["STATICFILES_DIRS = [BASE_DIR / 'node_modules/bootstrap/dist']\n", "X = 1\n"])
def test_installed_packages_that_the_settings_name_stay(tmp_path: Path, settings: str) -> None:
    made, _ = found(tmp_path, {"shop/settings.py": settings}, BUILDS)
    assert made is not None and made.kept is ("node_modules" in settings)


# --- As instructions ---------------------------------------------------------------
LOADED = Settings(texts=frozenset({"django.contrib.staticfiles", "whitenoise.middleware.WhiteNoiseMiddleware"}), names=frozenset({"STATIC_ROOT"}))


def stage(made: Assets, **options: Any) -> tuple[list[str], list[str]]:
    """Return the instructions of the stage that builds the assets, and those of the image, a line each."""
    text = generator.dockerfile(replace(PLAIN, assets=made, loaded=LOADED), **options)
    stages = [[f"{one.keyword} {one.words()}" for one in each.instructions] for each in dockerfiles.stages(dockerfiles.parse(text)) if each.name != "packages"]
    return stages[0], stages[1]


def test_packages_come_before_the_code_and_what_is_built_before_static_files_are_collected() -> None:
    first, last = stage(Assets("web", files=("web/package.json", "web/package-lock.json")), node="docker.io/library/node:24-slim")
    assert [line.split(" && ")[-1].strip() for line in first] == [
        "FROM docker.io/library/node:24-slim AS assets",
        "WORKDIR /srv/app/web",
        "COPY web/package.json web/package-lock.json /srv/app/web/",
        "npm ci --include=dev --no-audit --no-fund",
        "COPY . /srv/app/",
        "rm -rf node_modules",
    ]
    assert first[-1].startswith("RUN NODE_ENV=production npm run build ")
    collects = next(number for number, line in enumerate(last) if "collectstatic" in line)
    assert last[collects - 1] == "COPY /srv/app/ /srv/app/"
    assert not any(line.startswith("COPY . ") or "npm" in line for line in last)


def test_without_an_image_of_node_it_is_debians_beside_python() -> None:
    first, _ = stage(Assets(""))
    assert first[0] == "FROM ${PYTHON_IMAGE} AS assets"
    assert "apt-get install --yes --no-install-recommends ca-certificates nodejs npm" in first[1]


def test_an_installation_that_needs_it_has_the_whole_source_once() -> None:
    first, _ = stage(Assets("", whole=True, kept=True))
    assert [line.split(" ")[0] for line in first] == ["FROM", "RUN", "WORKDIR", "COPY", "RUN", "RUN"]
    assert first[3] == "COPY . /srv/app/"
    assert first[-1] == "RUN NODE_ENV=production npm run build"


@pytest.mark.parametrize(
    ("made", "commands"),
    [
        (Assets("", locked=False), ["npm install --include=dev"]),
        (Assets("", "pnpm", "10"), ["npm install --global --no-audit --no-fund pnpm@10 ", "pnpm install --prod=false --frozen-lockfile"]),
        (Assets("", "pnpm", "10", locked=False), ["pnpm install --prod=false --no-frozen-lockfile"]),
        (Assets("", "yarn", "1"), [" yarn@1 ", "YARN_REGISTRY=", "yarn install --non-interactive --production=false --frozen-lockfile"]),
        (Assets("", "yarn", "4.5.0"), [" @yarnpkg/cli-dist@4.5.0 ", "YARN_NPM_REGISTRY_SERVER=", "yarn install --immutable"]),
    ],
)
def test_the_manager_installs_what_its_lock_file_has(made: Assets, commands: list[str]) -> None:
    first, _ = stage(made, node="node:24")
    assert all(command in first[3] + " " for command in commands), first[3]
    assert first[-1].startswith(f"RUN NODE_ENV=production {made.manager} run build")


@pytest.mark.parametrize("made", [Assets(""), Assets("", "pnpm", "10"), Assets("", "yarn", "1")])
def test_an_installation_is_told_what_this_machines_npm_is_and_nothing_else_is(made: Assets) -> None:
    for instruction in dockerfiles.parse(generator.dockerfile(replace(PLAIN, assets=made))):
        mounted = {mount.id for mount in dockerfiles.mounts(instruction)} & {"npmrc"}
        assert bool(mounted) is ("NPM_CONFIG_GLOBALCONFIG=/run/secrets/npmrc" in instruction.text), instruction.text


@pytest.mark.parametrize(
    ("node", "official", "image", "warned"),
    [
        ("", True, "docker.io/library/node:24-slim", False),
        ("20", True, "docker.io/library/node:20-slim", False),
        ("", False, "", False),
        ("20", False, "", True),
    ],
)
def test_the_node_is_the_one_asked_for_where_its_image_can_be_had(node: str, official: bool, image: str, warned: bool) -> None:
    found, text = generator.choose_node(replace(PLAIN, assets=Assets("", node=node, node_file=".nvmrc")), official)
    assert (found, text.startswith(".nvmrc asks for Node 20, and the build has Debian's")) == (image, warned)


def test_it_is_said_what_builds_the_assets() -> None:
    assert generator.summary(replace(PLAIN, assets=Assets("", "pnpm", "10")), "3.13", ["gunicorn"]).endswith("(WSGI), assets built by pnpm run build")


# --- The way to a registry ---------------------------------------------------------
@pytest.mark.parametrize(("line", "reached"), [("RUN npm ci", True), ("RUN corepack pnpm install", True), ("RUN pip install x", False)])
def test_a_build_that_uses_npm_reaches_its_registry_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, reached: bool) -> None:
    (tmp_path / ".npmrc").write_text("registry=http://127.0.0.1:4873/\n@acme:registry = 'http://127.0.0.2:4874/'\n//127.0.0.1:4873/:_authToken=x\n")
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{line}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY", "npm_config_userconfig", "NPM_CONFIG_USERCONFIG", *image_build.PROXIES):
        monkeypatch.delenv(name, raising=False)
    given = {"log": str(tmp_path / "log"), "source": str(tmp_path), "dockerfile": str(tmp_path / "Dockerfile"), "ref": "x", "arguments": {}}
    names = [where for name, where in image_build.Build(given).named() if name == "npm's registry"]
    assert names == ([("127.0.0.1", 4873), ("127.0.0.2", 4874)] if reached else [])
