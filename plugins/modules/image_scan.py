"""Look for known vulnerabilities in an image."""

from __future__ import annotations

DOCUMENTATION = """
module: image_scan
short_description: Look for known vulnerabilities in an image
description:
  - Reads what image_build wrote of the image, and asks a scanner of this machine (grype or trivy), or looks into an offline copy of OSV's database.
  - Vulnerabilities for which there is no fixed version are counted only, for nothing can be done about them.
options:
  image: {description: What the image is called in messages., type: str, required: true}
  sbom: {description: The image's bill of materials (CycloneDX)., type: path, required: true}
  action: {description: What happens where one is found., type: str, choices: [warn, refuse], required: true}
  database: {description: "A directory or zip file with OSV's records in JSON; empty for a scanner.", type: str, default: ""}
  ignored: {description: "Which do not count, each with the reason, by their names.", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: "Reads only. Of an image that is yet to be built it says that it would look."}
"""

EXAMPLES = """
- name: Look for known vulnerabilities in the image
  berth.platform.image_scan:
    image: polls
    sbom: ~/.cache/berth/sboms/polls/content-12.cdx.json
    action: refuse
    ignored: {CVE-2026-12345: the app does not read XML}
"""

RETURN = """
scanner: {description: "What looked, empty where nothing did.", type: str, returned: success}
findings: {description: "What was found and has a fixed version, a line each.", type: list, elements: str, returned: always}
unfixed: {description: How many have no fixed version., type: int, returned: always}
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import scan


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "image": {"type": "str", "required": True},
            "sbom": {"type": "path", "required": True},
            "action": {"type": "str", "choices": ["warn", "refuse"], "required": True},
            "database": {"type": "str", "default": ""},
            "ignored": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    options, path = module.params, Path(module.params["sbom"])
    if module.check_mode and not path.is_file():
        module.exit_json(changed=False, scanner="", findings=[], unfixed=0, msg=f"{options['image']} is looked at once it is built")

    def unknown(text: str) -> None:
        """Say that nothing is known of the image, which is as bad as a finding."""
        if options["action"] == "refuse":
            module.fail_json(msg=f"{text}\nSo it is not released, for berth_scan is refuse.", findings=[], unfixed=0)
        module.warn(text)
        module.exit_json(changed=False, scanner="", findings=[], unfixed=0)

    if not path.is_file():
        unknown(
            f"It is not known what {options['image']} is made of: there is no {path}. It was built elsewhere, or its builder's storage could not be read, "
            "as the build's log says then. Set berth_image_max_age to another number, and it is built here."
        )
    program = scan.scanner(options["database"])
    try:
        if not program:
            raise scan.ScanError(f"Nothing here looks for vulnerabilities: {scan.INSTALL}.")
        if program == "osv":
            packages = scan.read_packages(json.loads(path.read_text(encoding="utf-8")))
            findings, notes = scan.look_up(packages, scan.records(Path(options["database"]).expanduser()))
        else:
            findings, notes = scan.ask(program, path), []
    except (scan.ScanError, OSError, ValueError) as error:
        unknown(str(error))
    result = scan.sift(findings, options["ignored"], notes)
    text = scan.message(result, options["image"])
    lines = [str(finding) for finding in result.open]
    for remark in scan.remarks(result):
        module.warn(remark)
    if text and options["action"] == "refuse":
        module.fail_json(msg=f"{text}\nSo it is not released, for berth_scan is refuse.", findings=lines, unfixed=result.unfixed)
    if text:
        module.warn(text)
    module.exit_json(changed=False, scanner=program, findings=lines, unfixed=result.unfixed)


if __name__ == "__main__":
    main()
