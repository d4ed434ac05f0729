"""Many files in one task."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

DOCUMENTATION = """
module: files
short_description: Write many files, or remove them, in one task
description:
  - Writes each file atomically. A task takes most of a second, so one task for a dozen files saves time.
options:
  files:
    description: The files. Parent directories are created with mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: The path of the file., type: path, required: true}
      content: {description: The text of the file., type: str}
      src: {description: A file to copy the content from., type: path}
      link: {description: "Whether to hard-link C(src) if both are on the same file system, for large files.", type: bool, default: false}
      mode: {description: "The file's mode, in octal.", type: str, default: "0644"}
  absent:
    description: Files and directories to remove, with their content.
    type: list
    elements: path
    default: []
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: "Shows the text, except for files that only their owner may read."}
"""

EXAMPLES = """
- name: Write the service's configuration
  berth.platform.files:
    files:
      - {path: /etc/example/config.yml, content: "{{ lookup('ansible.builtin.template', 'config.yml.j2') }}"}
      - {path: /opt/example/bin/example, src: /tmp/example, link: true, mode: "0755"}
"""

RETURN = """
changed_paths:
  description: The files that were written or removed.
  type: list
  elements: str
  returned: always
"""

from ansible.module_utils.basic import AnsibleModule


def differs(path: Path, content: str | None, src: Path | None, mode: int) -> bool:
    """Whether the file at ``path`` differs from what it should be."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    if status.st_mode & 0o7777 != mode:
        return True
    if src is not None:
        source = src.stat()
        same_file = (status.st_dev, status.st_ino) == (source.st_dev, source.st_ino)
        # shutil.copy2 keeps the time, so a changed file is recognised without reading gigabytes.
        return not same_file and (status.st_size, int(status.st_mtime)) != (source.st_size, int(source.st_mtime))
    return path.read_bytes() != (content or "").encode()


def write(path: Path, content: str | None, src: Path | None, mode: int, link: bool = False) -> None:
    """Write the file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.berth")
    half.unlink(missing_ok=True)
    try:
        if src is None:
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write((content or "").encode())
        else:
            copy(src, half, link)
        half.chmod(mode)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)  # rename leaves it if both are links to the same file


def copy(src: Path, target: Path, link: bool) -> None:
    """Create ``target`` with the content of ``src``: as a hard link if that is wanted and possible."""
    if link:
        with contextlib.suppress(OSError):  # hard links do not cross file systems
            os.link(src, target)
            return
    # Until it has its mode, only the owner may read it.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    shutil.copyfile(src, target)
    shutil.copystat(src, target)


def remove(path: Path) -> None:
    """Remove a file, or a directory with its content."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def difference(path: Path, content: str | None, src: Path | None, mode: int) -> dict[str, Any]:
    """The entry of Ansible's ``diff`` for one file."""
    header = {"before_header": str(path), "after_header": str(path)}
    if src is not None:
        return header | {"before": "", "after": f"(content of {src})\n"}
    if mode & 0o077 == 0 or (path.exists() and path.stat().st_mode & 0o077 == 0):
        return header | {"before": "", "after": "(not shown: only its owner may read it)\n"}
    return header | {"before": path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "", "after": content}


def main() -> None:
    """Run the module."""
    options = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "src": {"type": "path"},
        "link": {"type": "bool", "default": False},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": options,
                "required_one_of": [("content", "src")],
                "mutually_exclusive": [("content", "src")],
            },
            "absent": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    changed: list[str] = []
    diff: list[dict[str, Any]] = []
    for file in module.params["files"]:
        path = Path(file["path"])
        if not re.fullmatch("[0-7]{3,4}", file["mode"]):
            module.fail_json(msg=f"The mode {file['mode']} of {path} is not octal, as in 0644. Put it in quotes.")
        mode = int(file["mode"], 8)
        src = Path(file["src"]) if file["src"] else None
        try:
            if not differs(path, file["content"], src, mode):
                continue
            diff.append(difference(path, file["content"], src, mode))
            if not module.check_mode:
                write(path, file["content"], src, mode, file["link"])
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be written: {error.strerror} ({error.filename}).")
        changed.append(str(path))
    for path in (Path(name) for name in module.params["absent"]):
        if not path.exists() and not path.is_symlink():
            continue
        changed.append(str(path))
        diff.append({"before_header": str(path), "after_header": str(path), "before": "(there)\n", "after": ""})
        try:
            if not module.check_mode:
                remove(path)
        except OSError as error:
            module.fail_json(msg=f"{path} cannot be removed: {error.strerror} ({error.filename}).")
    module.exit_json(changed=bool(changed), changed_paths=changed, diff=diff)


if __name__ == "__main__":
    main()
