"""The Dockerfile that an app's image is built with."""

from __future__ import annotations

DOCUMENTATION = """
module: app_dockerfile
short_description: Make a Dockerfile for a Django project that has none
description:
  - Leaves a Dockerfile that is there alone, and says where it is.
  - Otherwise reads the project, without running anything of it, and writes a Dockerfile for it into another directory, with an ignore file beside it where
    the project has none.
options:
  source: {description: The project., type: path, required: true}
  dockerfile: {description: Where its Dockerfile would be., type: path, required: true}
  directory: {description: "The directory to write to; a cache, which is written in check mode too. It may be the project itself.", type: path, required: true}
  app_directory: {description: "Where in the project manage.py is, empty to find out.", type: str, default: ""}
  settings: {description: "The settings module, empty to find out.", type: str, default: ""}
  port: {description: The port that the app is to listen on., type: int, default: 8000}
  packages: {description: Debian packages that the image gets besides., type: list, elements: str, default: []}
  python: {description: "The image of Python that Berth brings, such as C(docker.io/library/python:3.13-slim).", type: str, required: true}
  official: {description: "Whether images of other Pythons, and of Node, can be pulled.", type: bool, default: false}
  own: {description: Write into the project for whoever wants to own the file. A file that is there is refused., type: bool, default: false}
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
made: {description: Whether Berth made it., type: bool, returned: always}
text: {description: "What it says, empty where Berth did not make it.", type: str, returned: always}
summary: {description: "What was found, in a line; empty where Berth did not make it.", type: str, returned: always}
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
    """Let a file have a text, whole or not at all; it is left alone where it has it."""
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
            module.fail_json(msg=f"{dockerfile} is there already, and is left alone; remove it first to have one made.")
        module.exit_json(changed=False, path=str(dockerfile), made=False, text="", summary="")
    try:
        project = read_project(source, options["app_directory"], options["settings"])
        base = re.sub(r"\A.*:(\d+\.\d+).*\Z", r"\1", options["python"])
        python, warning = generator.choose_python(project.wish, base, options["official"])
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
