"""Find or generate the Dockerfile for an app's image."""

from __future__ import annotations

DOCUMENTATION = """
module: app_dockerfile
short_description: Generate a Dockerfile for a Django project that has none
description:
  - Leaves an existing Dockerfile alone, and returns its path.
  - Otherwise reads the project without running any of its code, and writes a Dockerfile to another directory. If the project has no ignore file, it writes
    one next to the Dockerfile.
options:
  source: {description: The project., type: path, required: true}
  dockerfile: {description: Where the project's own Dockerfile would be., type: path, required: true}
  directory: {description: "The directory to write to, in check mode too, for it is a cache. May be the project itself.", type: path, required: true}
  app_directory: {description: "The directory of manage.py in the project; detected if empty.", type: str, default: ""}
  settings: {description: "The settings module; detected if empty.", type: str, default: ""}
  port: {description: The port that the app listens on., type: int, default: 8000}
  packages: {description: Additional Debian packages to install in the image., type: list, elements: str, default: []}
  python: {description: "The Python image that Berth supplies, such as C(docker.io/library/python:3.13-slim).", type: str, required: true}
  official: {description: "Whether images of other Python versions, and of Node, can be pulled.", type: bool, default: false}
  own: {description: Write the Dockerfile into the project, so that you maintain it from now on. Fails if the file exists., type: bool, default: false}
attributes:
  check_mode: {support: full, description: "With C(own), says what it would write."}
"""

EXAMPLES = """
- name: Find the Dockerfile, or make one
  berth.platform.app_dockerfile:
    source: ../shop
    dockerfile: ../shop/Dockerfile
    directory: ~/.cache/berth/dockerfiles/shop
    python: docker.io/library/python:3.13-slim
"""

RETURN = """
path: {description: The Dockerfile to build with., type: str, returned: always}
made: {description: Whether Berth generated it., type: bool, returned: always}
text: {description: "Its content; empty if Berth did not generate it.", type: str, returned: always}
summary: {description: "What Berth detected, in one line; empty if Berth did not generate it.", type: str, returned: always}
"""

import os
import re
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import project_dockerfile as generator
from ..module_utils.image.project import read_project
from ..module_utils.image.registry import ImageError


def write(file: Path, text: str) -> None:
    """Write a file atomically, unless its content is the same already."""
    if file.is_file() and file.read_text(encoding="utf-8", errors="replace") == text:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".berth-", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as output:
            output.write(text)
        os.chmod(name, 0o644)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dockerfile": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
            "app_directory": {"type": "str", "default": ""},
            "settings": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 8000},
            "packages": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "str", "required": True},
            "official": {"type": "bool", "default": False},
            "own": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    source, dockerfile, own = Path(options["source"]), Path(options["dockerfile"]), options["own"]
    if dockerfile.is_file():
        if own:
            module.fail_json(msg=f"{dockerfile} already exists and was left alone. Remove it first to generate a new one.")
        module.exit_json(changed=False, path=str(dockerfile), made=False, text="", summary="")
    try:
        project = read_project(source, options["app_directory"], options["settings"])
        base = re.sub(r"\A.*:(\d+\.\d+).*\Z", r"\1", options["python"])
        python, warning = generator.choose_python(generator.wished(project), base, options["official"])
        generator.refuse_unfit(project, python)
        node, other = generator.choose_node(project, options["official"])
        text = generator.dockerfile(project, options["port"], options["packages"], python, base, node)
        target = dockerfile if own else Path(options["directory"], "Dockerfile")
        ignore = source / ".dockerignore" if own else target.with_name("Dockerfile.dockerignore")
        ignores = any((source / name).exists() for name in (".dockerignore", ".containerignore"))
        if not own and ignores:
            ignore.unlink(missing_ok=True)
        if not (own and module.check_mode):
            write(target, text)
            if not ignores:
                write(ignore, generator.ignored(project))
    except (ImageError, OSError) as error:
        module.fail_json(msg=str(error))
    for note in [*filter(None, (warning, other)), *generator.notes(project)]:
        module.warn(note)
    module.exit_json(
        changed=own, path=str(target), made=True, text=text, summary=generator.summary(project, python, generator.server(project, options["port"])[0])
    )


if __name__ == "__main__":
    main()
