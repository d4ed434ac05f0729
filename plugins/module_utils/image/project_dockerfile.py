"""The Dockerfile of a Django project that has none: its text depends only on the project's files."""

from __future__ import annotations

import json
import os
import posixpath
import shlex
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from .assets import Assets
from .project import Dependencies, Project, ProjectError, Wish, normal

HOME = "/srv/app"
STATIC = "/opt/static"  # the module that serves static files, and the files of a project without STATIC_ROOT
USER = 10001  # as roles/app runs it
# The network settings of pip, for one instruction: no layer keeps them.
SECRETS = (
    "--mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false",
    "--mount=type=secret,id=ca_bundle,target=/etc/ssl/certs/ca-certificates.crt,required=false",
)
# Where the installation of Node's packages finds those: npm's documentation, Using npm, "Config", and https://nodejs.org/api/cli.html
NODE_SECRETS = ("--mount=type=secret,id=npmrc,target=/run/secrets/npmrc,required=false", SECRETS[1])
NODE_SETTINGS = "export NPM_CONFIG_GLOBALCONFIG=/run/secrets/npmrc NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt"
# Seconds that a server keeps an idle connection for: longer than a load balancer does (60 on AWS), which must not find it closed.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
KEEP_ALIVE = "75"
# Servers and tools for projects that do not name any, each below the next major version.
GUNICORN, UVICORN, WHITENOISE = "gunicorn<28", "uvicorn[standard]<1", "whitenoise>=6.6,<7"
TOOLS = {"uv": ("uv<1",), "poetry": ("poetry<3", "poetry-plugin-export<2"), "pdm": ("pdm<3",), "pipenv": ("pipenv",)}
# Packages that show that a project is meant for ASGI.
ASYNCHRONOUS = {"channels", "daphne", "hypercorn", "uvicorn", "uvicorn-worker"}
# A compiler, and Python's headers where the base is Debian's own Python.
COMPILER = ("build-essential", "python3-dev")
# Build tools, in addition to packages whose names end in -dev.
BUILDERS = {"build-essential", "cargo", "clang", "cmake", "g++", "gcc", "gfortran", "git", "make", "ninja-build", "pkg-config", "pkgconf", "rustc", "swig"}
# The Node release that builds assets if the project does not ask for another: https://nodejs.org/en/about/previous-releases
NODE = "24"
# Pythons of docker.io/library/python that get security updates: https://devguide.python.org/versions
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")


class Libraries(NamedTuple):
    """Debian packages of trixie that a Python package needs, which its wheels lack, or because it has none.

    What links to Python itself names ``libpython{python}``: Debian has it in a package of its own, and the official images in themselves.
    """

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    compiled: bool = True


LIBRARIES = {
    "cairocffi": Libraries(run=("libcairo2",), compiled=False),
    "cairosvg": Libraries(run=("libcairo2",), compiled=False),
    "django-auth-ldap": Libraries(("libldap-dev", "libsasl2-dev"), ("libldap2", "libsasl2-2")),
    "ffmpeg-python": Libraries(run=("ffmpeg",), compiled=False),
    "gdal": Libraries(("libgdal-dev",), ("gdal-bin",)),
    "mysqlclient": Libraries(("default-libmysqlclient-dev", "pkg-config"), ("libmariadb3",)),
    "netifaces": Libraries(),
    "opencv-python": Libraries(run=("libgl1", "libglib2.0-0t64"), compiled=False),
    "pdf2image": Libraries(run=("poppler-utils",), compiled=False),
    "psycopg": Libraries(run=("libpq5",), compiled=False),
    "psycopg-c": Libraries(("libpq-dev",), ("libpq5",)),
    "psycopg2": Libraries(("libpq-dev",), ("libpq5",)),
    "pycairo": Libraries(("libcairo2-dev", "pkg-config"), ("libcairo2",)),
    "pydub": Libraries(run=("ffmpeg",), compiled=False),
    "pygraphviz": Libraries(("libgraphviz-dev", "pkg-config"), ("graphviz",)),
    "pyicu": Libraries(("libicu-dev", "pkg-config"), ("libicu76",)),
    "pysaml2": Libraries(run=("xmlsec1",), compiled=False),
    "pytesseract": Libraries(run=("tesseract-ocr",), compiled=False),
    "python-ldap": Libraries(("libldap-dev", "libsasl2-dev"), ("libldap2", "libsasl2-2")),
    "python-magic": Libraries(run=("libmagic1t64",), compiled=False),
    "pyzbar": Libraries(run=("libzbar0t64",), compiled=False),
    "uwsgi": Libraries(run=("libpython{python}",)),
    "weasyprint": Libraries(run=("fonts-dejavu-core", "libharfbuzz-subset0", "libpango-1.0-0", "libpangoft2-1.0-0"), compiled=False),
    "xhtml2pdf": Libraries(("libcairo2-dev", "pkg-config"), ("libcairo2",)),
    "xmlsec": Libraries(("libxmlsec1-dev", "pkg-config"), ("libxmlsec1t64-openssl",)),
}
# The first release of a package that has wheels for a Python: an older one is compiled, with these.
WHEELS = {"3.13": {"lxml": "5.3.0", "pillow": "10.4.0"}}
COMPILED = {
    "lxml": Libraries(("libxml2-dev", "libxslt1-dev"), ("libxml2", "libxslt1.1")),
    "pillow": Libraries(("libfreetype-dev", "libjpeg-dev", "zlib1g-dev"), ("libfreetype6", "libjpeg62-turbo")),
}
# The first release of a package that can be compiled for a Python, or imported: an older one uses what that Python no longer has, as Django
# did collections.Sequence (gone in 3.10), distutils (3.12) and cgi (3.13).
# https://www.psycopg.org/docs/news.html#what-s-new-in-psycopg-2-9-10
PSYCOPG2 = {"psycopg2": "2.9.10", "psycopg2-binary": "2.9.10"}
FIT = {
    "3.10": {"django": "2.1"},
    "3.11": {"django": "2.1"},
    "3.12": {"django": "3.2"},
    "3.13": {"django": "4.1", **PSYCOPG2},
    "3.14": {"django": "4.1", **PSYCOPG2},
}
# Packages that contain the libraries of another package.
BUNDLED = {"psycopg": "psycopg-binary"}
# What does not belong in an image: secrets, and files of a development checkout.
IGNORED = (
    ".git",
    ".hg",
    ".svn",
    ".idea",
    ".vscode",
    ".venv",
    "venv",
    ".tox",
    ".env",
    ".env.*",
    "node_modules",
    "__pycache__",
    "*.py[cod]",
    ".*_cache",
    "*.sqlite3",
)


# --- Python --------------------------------------------------------------------
def choose_python(wish: Wish | None, base: str, official: bool) -> tuple[str, str]:
    """Return the image's Python, such as ``3.13``, and a note for the project's owner, "" for none.

    Args:
        wish: What the project asks for.
        base: The Python of the base image that Berth ships.
        official: Whether images from docker.io, which have the other versions, are available here.
    """
    if wish is None:
        return base, ""
    try:
        asked = SpecifierSet(wish.specifiers)
    except InvalidSpecifier:
        return base, f"{wish.file} asks for a Python version that Berth does not understand ({wish.specifiers}); the image has {base}."
    # A lower bound with a patch release means that release or a later one.
    fits = [version for version in PYTHONS if asked.contains(f"{version}.99") or asked.contains(version)]
    if base in fits or (asked.contains(f"{base}.99") and not fits):
        return base, ""
    words = wish.specifiers.removeprefix("==").removesuffix(".*")
    if official and fits:
        return min(fits, key=lambda version: distance(version, base)), ""
    return base, (
        f"{wish.file} asks for Python {words}, and the image has {base}, the one that Berth ships. If the project does not run with it, "
        f"use an image that has {words} in a Dockerfile of your own: playbooks/ops/dockerfile.yml writes one."
    )


def wished(project: Project) -> Wish | None:
    """Return the Python that a project asks for, below the first one that does not work with a version that it pins."""
    newest = next((version for version in PYTHONS if unfit(project.dependencies, version)), "")
    if not newest:
        return project.wish
    said = project.wish or Wish("", project.dependencies.files[0])
    return Wish(",".join(filter(None, [said.specifiers, f"<{newest}"])), said.file)


def distance(version: str, other: str) -> int:
    """Return how many minor versions lie between two Pythons."""
    return abs(int(version.partition(".")[2]) - int(other.partition(".")[2]))


# --- Node ------------------------------------------------------------------------
def choose_node(project: Project, official: bool) -> tuple[str, str]:
    """Return the image of Node that builds a project's assets, "" for Debian's packages, and a note for the project's owner, "" for none.

    Args:
        project: The project.
        official: Whether images from docker.io are available here.
    """
    assets = project.assets or Assets("")
    if official:
        return f"docker.io/library/node:{assets.node or NODE}-slim", ""
    said = f"{assets.node_file} asks for Node {assets.node}, and the build has Debian's, because images from docker.io are not available here."
    return "", said if assets.node else ""


def assets_stage(assets: Assets, image: str, node: str) -> list[str]:
    """Return the stage that builds a project's assets. The image gets the source and the built files from it.

    Args:
        assets: What builds them.
        image: The image that has Python.
        node: The image that has Node, "" for the Python image with Debian's packages.
    """
    home = place(assets.place)
    lines = ["# A separate stage builds style sheets and scripts, so the image contains no Node.", f"FROM {node or image} AS assets"]
    lines += [] if node else [install(["ca-certificates", "nodejs", "npm"])]
    lines.append(f"WORKDIR {home}")
    sources = [copy_source()]
    lines += sources if assets.whole else copy(assets.files)
    lines.append(run(NODE_SETTINGS, *node_packages(assets), mounts=NODE_SECRETS))
    lines += [] if assets.whole else sources
    return [*lines, run(f"NODE_ENV=production {assets.manager} run build", *([] if assets.kept else ["rm -rf node_modules"])), ""]


def translations_stage(project: Project, image: str) -> list[str]:
    """Return the stage that compiles a project's translations, as compilemessages does. The image gets the source from it."""
    compiled = '\'for file; do msgfmt --check-format --output-file="${file%.po}.mo" "$file" || exit 1; done\''
    return [
        "# A separate stage compiles the translations, so the image contains no gettext.",
        f"FROM {image} AS translations",
        install(["gettext"]),
        f"WORKDIR {place(project.directory)}",
        copy_source("assets" if project.assets else ""),
        f"RUN find . -path '*/LC_MESSAGES/django*.po' -exec sh -c {compiled} sh {{}} +",
        "",
    ]


def node_packages(assets: Assets) -> list[str]:
    """Return the commands that install the packages with which a project's assets are built, and the manager first where Node has none like it.

    It is not fetched by corepack, which knows nothing of npm's configuration and is no part of Node from 25 on.
    """
    if assets.manager == "npm":
        return [f"npm {'ci' if assets.locked else 'install'} --include=dev --no-audit --no-fund"]
    classic = assets.version.partition(".")[0] == "1"
    package = assets.manager if assets.manager == "pnpm" or classic else "@yarnpkg/cli-dist"
    got = f"npm install --global --no-audit --no-fund {package}@{assets.version}"
    if assets.manager == "pnpm":
        return [got, f"pnpm install --prod=false{' --frozen-lockfile' if assets.locked else ' --no-frozen-lockfile'}"]
    registry = 'export YARN_REGISTRY="$(npm config get registry)" YARN_NPM_REGISTRY_SERVER="$(npm config get registry)"'
    frozen = (" --frozen-lockfile" if classic else " --immutable") if assets.locked else ""
    return [got, registry, f"yarn install{' --non-interactive --production=false' if classic else ''}{frozen}"]


# --- Static files ----------------------------------------------------------------
SERVED = "served:application"
FACTORY = "django.core.wsgi:get_wsgi_application()"
# Packages that serve static files; WhiteNoise's successor has a name of its own.
SERVING = ("whitenoise.", "servestatic.")


def serves_itself(project: Project) -> bool:
    """Whether the project serves its static files itself."""
    return any(text.startswith(SERVING) for text in project.loaded.texts) or "dj-static" in project.dependencies.direct


def serves(project: Project) -> bool:
    """Whether WhiteNoise wraps the application: the project has static files and does not serve them.

    An application named in gunicorn.conf.py is served as it is.
    """
    loaded = project.loaded
    has_any = "django.contrib.staticfiles" in loaded.texts and "STATIC_URL" in loaded.names
    return has_any and not serves_itself(project) and "wsgi_app" not in project.configured


def served(project: Project) -> list[str]:
    """Return the lines of the served module: the project's application, with WhiteNoise in its middleware.

    https://whitenoise.readthedocs.io/en/stable/django.html says where in it.
    """
    module, _, name = (project.asgi if is_asgi(project) else project.wsgi or FACTORY).partition(":")
    function = name.removesuffix("()")
    return [
        "from django.conf import settings",
        f'settings.STATIC_ROOT = settings.STATIC_ROOT or "{STATIC}/files"',
        'middleware, security = list(settings.MIDDLEWARE), "django.middleware.security.SecurityMiddleware"',
        'middleware.insert(middleware.index(security) + 1 if security in middleware else 0, "whitenoise.middleware.WhiteNoiseMiddleware")',
        "settings.MIDDLEWARE = middleware",
        'if __name__ == "__main__":',
        "    import django",
        "    from django.core.management import call_command",
        "    django.setup()",
        '    call_command("collectstatic", interactive=False, verbosity=0)',
        "else:",
        f"    from {module} import {function}" + (" as application" if function == name and name != "application" else ""),
        *([f"    application = {name}"] if function != name else []),
    ]


# --- Server ----------------------------------------------------------------------
def is_asgi(project: Project) -> bool:
    """Whether a project is meant for an ASGI server: it has such an application, and names it or a package for ASGI servers."""
    return bool(project.asgi) and ("ASGI_APPLICATION" in project.loaded.applications or bool(ASYNCHRONOUS & project.dependencies.direct))


def server(project: Project, port: int) -> tuple[list[str], str]:
    """Return the command that serves a project, and the requirement to add for it, "" if it names a server itself."""
    named = project.dependencies.direct
    address = f"0.0.0.0:{port}"
    if is_asgi(project):
        application = SERVED if serves(project) else project.asgi
        if {"gunicorn", "uvicorn-worker"} <= named:
            return gunicorn(project, address, application, "--worker-class", "uvicorn_worker.UvicornWorker"), ""
        if "uvicorn" not in named and "daphne" in named:
            return ["daphne", "--bind", "0.0.0.0", "--port", str(port), application], ""
        if "uvicorn" not in named and "hypercorn" in named:
            return ["hypercorn", "--bind", address, "--keep-alive", KEEP_ALIVE, "--access-logfile", "-", application], ""
        words = ["uvicorn", "--host", "0.0.0.0", "--port", str(port), "--timeout-keep-alive", KEEP_ALIVE, application]
        return words, "" if "uvicorn" in named else UVICORN
    application = SERVED if serves(project) else project.wsgi or FACTORY
    if "gunicorn" not in named and {"uwsgi", "pyuwsgi"} & named and project.wsgi:
        options = ["--master", "--die-on-term", "--need-app", "--enable-threads", "--processes", "2", "--threads", "4"]
        return ["uwsgi", "--http-socket", address, "--module", application, *options], ""
    if "gunicorn" not in named and "waitress" in named and project.wsgi:
        return ["waitress-serve", f"--listen={address}", application], ""
    return gunicorn(project, address, application, "--threads", "4"), "" if "gunicorn" in named else GUNICORN


def gunicorn(project: Project, address: str, application: str, *options: str) -> list[str]:
    """Return gunicorn's command, without options that the project's gunicorn.conf.py sets."""
    configured = project.configured
    words = ["gunicorn"]
    words += [] if "bind" in configured else ["--bind", address]
    words += [] if "keepalive" in configured else ["--keep-alive", KEEP_ALIVE]
    if not configured:
        # The heartbeat file needs to be in memory: https://docs.gunicorn.org/en/stable/faq.html#how-do-i-avoid-gunicorn-excessively-blocking-in-os-fchmod
        words += [*options, "--worker-tmp-dir", "/dev/shm", "--access-logfile", "-"]
    return words + ([] if "wsgi_app" in configured else [application])


# --- Debian packages -------------------------------------------------------------
def is_older(version: str, than: str) -> bool:
    """Whether a version is below another, False if it cannot be parsed."""
    try:
        return Version(version) < Version(than)
    except InvalidVersion:
        return False


def unfit(needs: Dependencies, python: str) -> str:
    """Return which pinned version is known not to work with a Python, and what to do, "" for none."""
    for name, first in FIT.get(python, {}).items():
        if is_older(pinned := needs.pins.get(name, first), first):
            file = needs.files[-1] if needs.kind != "requirements" else needs.files[0]
            way = f"use {name} {first} or later, or an image with an older Python in a Dockerfile of your own"
            return f"{file} pins {name} {pinned}, which does not work with Python {python}, the version in the image; {way}"
    return ""


def refuse_unfit(project: Project, python: str) -> None:
    """Refuse a version that does not work with a Python, because the build would fail only after minutes.

    Raises:
        ProjectError: There is one.
    """
    if text := unfit(project.dependencies, python):
        raise ProjectError("berth_app_source", text)


def libraries(project: Project, packages: list[str], debian: str, python: str = "3.13") -> tuple[list[str], list[str]]:
    """Return the Debian packages to build the project's packages with, and to run them.

    Args:
        project: The project.
        packages: What the inventory asks for.
        debian: The Python that is Debian's own in the image, "" for one that is not.
        python: The Python of the image.
    """
    needs = project.dependencies
    old = [name for name, first in WHEELS.get(python, {}).items() if is_older(needs.pins.get(name, first), first)]
    found = [LIBRARIES[name] for name in sorted(needs.names) if name in LIBRARIES and BUNDLED.get(name) not in needs.names]
    found += [COMPILED[name] for name in old]
    builders = {name for name in packages if name.endswith("-dev") or name in BUILDERS}
    build = {package for one in found for package in one.build} | builders
    run = {package.format(python=debian) for one in found for package in one.run if debian or "{" not in package} | set(packages) - builders
    if "django.contrib.gis" in project.loaded.texts:
        run.add("gdal-bin")
    if build or any(one.compiled for one in found):
        build |= set(COMPILER)
    if needs.git:
        build |= {"git", "ca-certificates"}
    return sorted(build), sorted(run)


def compiled_with(name: str) -> list[str]:
    """Return the Debian packages known to be needed to compile a Python package, in addition to a compiler.

    >>> compiled_with("psycopg2_binary"), compiled_with("nobodys")
    (['libpq-dev'], [])
    """
    plain = normal(name).removesuffix("-binary")
    return list((LIBRARIES | COMPILED).get(plain, Libraries()).build)


def install(packages: list[str]) -> str:
    """Return the instruction that installs Debian packages, from this machine's mirrors if the base image names none; no layer keeps their addresses."""
    return run(
        "if [ -s /run/apt_sources ] && ! grep --quiet --recursive --no-messages debian /etc/apt/sources.list /etc/apt/sources.list.d; then \\\n"
        '        . /etc/os-release && sed "s/SUITE/$VERSION_CODENAME/" /run/apt_sources > /etc/apt/sources.list.d/build.list; fi',
        "apt-get update",
        f"apt-get install --yes --no-install-recommends {' '.join(packages)}",
        "rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/build.list",
        mounts=("--mount=type=secret,id=apt_sources,target=/run/apt_sources,required=false",),
    )


# --- Instructions ----------------------------------------------------------------
def run(*commands: str, mounts: tuple[str, ...] = ()) -> str:
    """Return a RUN instruction."""
    return "RUN " + " \\\n    ".join(mounts) + (" \\\n    " if mounts else "") + " \\\n    && ".join(commands)


def copy(files: tuple[str, ...]) -> list[str]:
    """Return the instructions that copy some files of the source to where they are in the image."""
    directories: dict[str, list[str]] = {}
    for file in files:
        directories.setdefault(posixpath.dirname(file), []).append(file)
    return [f"COPY {words([*names, place(directory) + '/'])}" for directory, names in directories.items()]


def copy_source(stage: str = "") -> str:
    """Return the instruction that copies the whole source, as a stage has left it if one is named."""
    return f"COPY {f'--from={stage} {HOME}/' if stage else '.'} {HOME}/"


# Of what COPY takes from a stage buildah reads each file in every build, to see whether it knows it: 12 s for 250 MB of packages.
TAKE_PACKAGES = run("cp --archive /run/packages /opt/venv", mounts=("--mount=type=bind,from=packages,source=/opt/venv,target=/run/packages",))


def place(directory: str) -> str:
    """Return where a directory of the source is in the image."""
    return posixpath.join(HOME, directory) if directory else HOME


def words(names: list[str]) -> str:
    """Return the arguments of an instruction; those with spaces are a JSON list."""
    return json.dumps(names) if any(" " in name for name in names) else " ".join(names)


def pip(*arguments: str) -> str:
    """Return a command that installs packages."""
    return f"pip install --no-cache-dir {' '.join(arguments)}"


def export(needs: Dependencies) -> list[str]:
    """Return the commands that export the requirements of a project with its own tool to /opt/requirements.txt."""
    target = "/opt/requirements.txt"
    bare = needs.git or needs.local  # pip has no hash for these, and requires hashes for all packages or none
    groups = [word for name in needs.groups for word in ("--with" if needs.kind == "poetry" else "--group", name)]
    extras = [word for name in needs.extras for word in ("--extras" if needs.kind == "poetry" else "--extra", name)]
    match needs.kind:
        case "uv":
            options = ["--frozen", "--no-dev", "--no-emit-project", *groups, *extras, *(["--no-hashes"] if bare else [])]
            return [f"uv export --quiet {' '.join(options)} --output-file {target}"]
        case "poetry":
            options = [*groups, *extras, *(["--without-hashes"] if bare else [])]
            lock = [] if needs.locked else ["poetry lock --no-interaction"]
            return [*lock, " ".join(["poetry export", *options, f"--output {target}"])]
        case "pdm":
            # A group of PDM is an extra of the project, too.
            options = [word for name in dict.fromkeys([*needs.groups, *needs.extras]) for word in ("--group", name)]
            return [" ".join(["pdm export --prod", *options, *(["--no-hashes"] if bare else []), f"--output {target}"])]
        case "pipenv":
            lock = [] if needs.locked else ["pipenv lock"]
            return [*lock, f"pipenv requirements {'' if bare else '--hash '}> {target}"]
        case _:
            what = "'\\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'])"
            if needs.extras:
                what = f"'\\n'.join(sum((p.get('optional-dependencies', {{}})[name] for name in {list(needs.extras)}), p['dependencies']))"
                return [f"python3 -c \"import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print({what})\" > {target}"]
            return [f'python3 -c "import tomllib; print({what})" > {target}']


def packages_instructions(needs: Dependencies, added: list[str]) -> list[str]:
    """Return the instructions that install the project's packages into /opt/venv, and the server if it does not name one."""
    found = [f"WORKDIR {place(needs.place)}"]
    if needs.kind in TOOLS:
        tools = " ".join(shlex.quote(name) for name in TOOLS[needs.kind])
        found.append(run("python3 -m venv /opt/tool", f"/opt/tool/bin/{pip(tools)}", mounts=SECRETS))
    found += [copy_source()] if needs.local else copy(needs.files)
    first = os.path.relpath(needs.files[0], needs.place or ".")
    if needs.kind == "requirements":
        if needs.encoding:
            found.append(run(f"python3 -c \"p = {first!r}; t = open(p, encoding={needs.encoding!r}).read(); open(p, 'w', encoding='utf-8').write(t)\""))
    else:
        first = "/opt/requirements.txt"
        exported = export(needs)
        # Locking queries an index, with the tool's own certificate authorities by default.
        trust = ["export REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"]
        found.append(run(*exported) if needs.locked else run(*trust, *exported, mounts=SECRETS))
    found.append(run("python3 -m venv /opt/venv", pip("--requirement", shlex.quote(first)), mounts=SECRETS))
    if added:
        found.append(run(pip(*map(shlex.quote, added)), mounts=SECRETS))
    return found


def finish(project: Project) -> str:
    """Return the instruction that prepares the copied source for serving."""
    commands = []
    values = " ".join(f"{name}={shlex.quote(value)}" for name, value in project.loaded.variables.items())
    if collects(project) and not project.collected:
        commands.append(f"{values} python manage.py collectstatic --noinput --verbosity 0".strip())
    elif serves(project) and not project.collected:
        commands.append(f"{values} python -m {SERVED.partition(':')[0]}".strip())
    places = f"{HOME} {STATIC}" if serves(project) else HOME
    # A Python template does not compile, and must not fail the build.
    return run(*commands, f"(python -m compileall -qq {places} || true)", f"chmod -R a+rX,go-w {places}")


def collects(project: Project) -> bool:
    """Whether a project sets where its static files are collected."""
    return "STATIC_ROOT" in project.loaded.names and "django.contrib.staticfiles" in project.loaded.texts


def dockerfile(project: Project, port: int = 8000, packages: list[str] | None = None, python: str = "3.13", base: str = "3.13", node: str = "") -> str:
    """Return the text of the Dockerfile.

    Args:
        project: The project.
        port: The port to listen on.
        packages: Debian packages that the inventory asks for.
        python: The Python to use.
        base: The Python of the image that Berth ships.
        node: The image that has Node, "" for Debian's packages.
    """
    build, needed = libraries(project, packages or [], python if python == base else "", python)
    command, missing = server(project, port)
    added = [*([missing] if missing else []), *([WHITENOISE] if serves(project) else [])]
    needs = project.dependencies
    image = "${PYTHON_IMAGE}" if python == base else f"docker.io/library/python:{python}-slim"
    path = "/opt/venv/bin:/opt/tool/bin:" if needs.kind in TOOLS else "/opt/venv/bin:"
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {"PATH": f"/opt/venv/bin:{system}", "DJANGO_SETTINGS_MODULE": project.settings, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    if paths := [*(posixpath.join(HOME, one) for one in project.paths), *([STATIC] if serves(project) else [])]:
        environment["PYTHONPATH"] = ":".join(paths)
    if command[0] in ("gunicorn", "uvicorn"):
        environment["WEB_CONCURRENCY"] = "2"
    apart = bool(build) or needs.kind in TOOLS
    lines = ["# Generated by Berth for this Django project."]
    lines += [f"ARG PYTHON_IMAGE=docker.io/library/python:{python}-slim", ""] if python == base else [""]
    if apart:
        lines += ["# A separate stage installs the packages, so the image contains no build tools.", f"FROM {image} AS packages"]
        lines += [install(build)] if build else []
        lines += [f"ENV PATH={path}{system}", *packages_instructions(needs, added), ""]
    lines += assets_stage(project.assets, image, node) if project.assets else []
    lines += translations_stage(project, image) if project.uncompiled else []
    lines += [f"FROM {image}", "ENV " + " \\\n    ".join(f"{name}={value}" for name, value in environment.items())]
    lines += [install(needed)] if needed else []
    lines.append(run(f"groupadd --gid {USER} app", f"useradd --uid {USER} --gid {USER} --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app"))
    lines += [TAKE_PACKAGES] if apart else packages_instructions(needs, added)
    if apart or project.directory != needs.place:
        lines.append(f"WORKDIR {place(project.directory)}")
    if serves(project):
        text = " \\\n        ".join(shlex.quote(line) for line in served(project))
        lines += ["# The project does not serve its static files itself, so WhiteNoise wraps its application."]
        lines += [run(f"mkdir {STATIC}", f"printf '%s\\n' \\\n        {text} \\\n        > {STATIC}/served.py")]
    # Instructions that do not depend on the code come first.
    last = "translations" if project.uncompiled else "assets" if project.assets else ""
    lines += [f"EXPOSE {port}", f"CMD {json.dumps(command)}", copy_source(last)]
    lines += ["# The values are for this step only. File modes do not depend on the umask of whoever copied the source.", finish(project)]
    lines += [f"USER {USER}:{USER}", ""]
    return "\n".join(lines)


def notes(project: Project) -> list[str]:
    """Return notes on the image for the project's owner."""
    if serves(project):
        return list(project.notes)
    plain = "so pages have no style sheets or pictures"
    if not collects(project):
        return [*project.notes, f"The settings do not set STATIC_ROOT, where static files are collected, {plain}; set it, and use WhiteNoise."]
    if not any(text.startswith("whitenoise.") for text in project.loaded.texts):
        return [*project.notes, f"Nothing serves the static files, {plain}; add whitenoise to the requirements and its middleware to MIDDLEWARE."]
    return list(project.notes)


def ignored(project: Project) -> str:
    """Return the text of an ignore file for a project that has none; uploads are next to manage.py in settings that follow the tutorials."""
    return "".join(f"{line}\n" for line in [*(f"**/{name}" for name in IGNORED), posixpath.join(project.directory, "media")])


def summary(project: Project, python: str, command: list[str]) -> str:
    """Return a one-line summary of a project's image."""
    tool = {"requirements": project.dependencies.files[0], "pyproject": "pyproject.toml"}.get(project.dependencies.kind, project.dependencies.files[-1])
    kind = "ASGI" if is_asgi(project) else "WSGI"
    built = f", assets built by {project.assets.manager} run build" if project.assets else ""
    compiled = ", translations compiled" if project.uncompiled else ""
    return f"Python {python}, packages from {tool}, settings {project.settings}, served by {command[0]} ({kind}){built}{compiled}"
