"""Scan an image for known vulnerabilities."""

from __future__ import annotations

DOCUMENTATION = """
module: image_scan
short_description: Scan an image for known vulnerabilities
description:
  - Reads the image's bill of materials from image_build, and uses a scanner on this machine (grype or trivy), or an offline copy of OSV's database.
  - Vulnerabilities without a fixed version are only counted, because nothing can be done about them.
options:
  image: {description: The image's name for messages., type: str, required: true}
  sbom: {description: The image's bill of materials (CycloneDX)., type: path, required: true}
  action: {description: What to do if one is found., type: str, choices: [warn, refuse], required: true}
  database: {description: "A directory or zip file with OSV's records in JSON; empty for a scanner.", type: str, default: ""}
  ignored: {description: "Vulnerabilities to ignore, by name, each with the reason.", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: "Reads only. For an image that is not built yet, it says that it would scan."}
"""

EXAMPLES = """
- name: Scan the image for known vulnerabilities
  berth.platform.image_scan:
    image: polls
    sbom: ~/.cache/berth/sboms/polls/content-12.cdx.json
    action: refuse
    ignored: {CVE-2026-12345: the app does not read XML}
"""

RETURN = """
scanner: {description: "The scanner; empty if there was none.", type: str, returned: success}
findings: {description: "The vulnerabilities with a fixed version, a line each.", type: list, elements: str, returned: always}
unfixed: {description: The number of vulnerabilities without a fixed version., type: int, returned: always}
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
        module.exit_json(changed=False, scanner="", findings=[], unfixed=0, msg=f"{options['image']} will be scanned once it is built")

    def unknown(text: str) -> None:
        """Report that nothing is known about the image, which is as bad as a finding."""
        if options["action"] == "refuse":
            module.fail_json(msg=f"{text}\nIt is not released, because berth_scan is refuse.", findings=[], unfixed=0)
        module.warn(text)
        module.exit_json(changed=False, scanner="", findings=[], unfixed=0)

    if not path.is_file():
        unknown(
            f"The content of {options['image']} is not known: there is no {path}. It was built elsewhere, or its builder's storage could not be read; "
            "the build's log would say so. Change berth_image_max_age to have it built here."
        )
    program = scan.scanner(options["database"])
    try:
        if not program:
            raise scan.ScanError(f"There is no vulnerability scanner here: {scan.INSTALL}.")
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
        module.fail_json(msg=f"{text}\nIt is not released, because berth_scan is refuse.", findings=lines, unfixed=result.unfixed)
    if text:
        module.warn(text)
    module.exit_json(changed=False, scanner=program, findings=lines, unfixed=result.unfixed)


if __name__ == "__main__":
    main()
