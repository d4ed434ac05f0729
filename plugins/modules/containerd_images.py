"""Import image archives into containerd."""

from __future__ import annotations

DOCUMENTATION = """
module: containerd_images
short_description: Import image archives into this machine's containerd
description:
  - Imports images that are missing or that come from another archive than before, several at a time.
options:
  ctr: {description: The ctr program., type: path, required: true}
  address: {description: containerd's socket., type: path, required: true}
  images: {description: "Archives by the name of the image that each holds.", type: dict, required: true}
  record: {description: "A file that records the archive of each image.", type: path, required: true}
  timeout: {description: Seconds to wait for containerd to answer., type: int, default: 30}
attributes:
  check_mode: {support: full, description: "Says what would be imported, as far as containerd answers."}
"""

EXAMPLES = """
- name: Import the pause image
  berth.platform.containerd_images:
    ctr: /var/lib/berth/bin/ctr
    address: /run/berth/containerd/containerd.sock
    record: /var/lib/berth/containerd/imported.json
    images:
      registry.k8s.io/pause:3.10.2: /var/cache/pause.tar
"""

RETURN = """
imported: {description: The images that were imported., type: list, elements: str, returned: always}
"""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.service import backend, last_words
from ..module_utils.progress import report


class ImportFailed(Exception):
    """containerd does not answer or refuses an archive; the text is for the user."""


def present(ctr: list[str], timeout: float) -> set[str]:
    """Wait for containerd to answer, and return the names of its images."""
    began, end = time.time(), time.monotonic() + timeout
    while True:
        done = subprocess.run([*ctr, "images", "list", "--quiet"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return set(done.stdout.split())
        if time.monotonic() > end:
            raise ImportFailed(f"containerd does not answer: {done.stderr.strip()}. {last_words(backend(), 'containerd', began)}")
        time.sleep(0.1)


def load(ctr: list[str], name: str, archive: str) -> str:
    """Import one archive, and check that it holds the image."""
    done = subprocess.run([*ctr, "images", "import", "--local", archive], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImportFailed(f"{archive} cannot be imported: {done.stderr.strip()}")
    report(f"imported {name}")
    return name


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "ctr": {"type": "path", "required": True},
            "address": {"type": "path", "required": True},
            "images": {"type": "dict", "required": True},
            "record": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    ctr = [module.params["ctr"], "--address", module.params["address"], "--namespace", "k8s.io"]
    try:
        if module.check_mode:
            module.exit_json(changed=True, imported=sorted(module.params["images"]))
        there = present(ctr, module.params["timeout"])
        record = Path(module.params["record"])
        known = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        images: dict[str, str] = module.params["images"]
        missing = {name: archive for name, archive in images.items() if name not in there or known.get(name) != archive}
        with ThreadPoolExecutor(max_workers=2) as pool:
            imported = list(pool.map(lambda item: load(ctr, *item), missing.items()))
        lost = set(missing) - present(ctr, 5)
        if missing and not lost:
            record.write_text(json.dumps(known | images), encoding="utf-8")
    except (ImportFailed, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    if lost:
        module.fail_json(msg=f"These archives do not hold the images that they are named after: {', '.join(sorted(lost))}.")
    module.exit_json(changed=bool(imported), imported=imported)


if __name__ == "__main__":
    main()
