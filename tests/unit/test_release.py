"""What a release of the app is made of, as the role's templates and filters make it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

TEMPLATES = Path(__file__).resolve().parents[2] / "roles" / "app" / "templates"
LABELS = {"app.kubernetes.io/name": "polls", "app.kubernetes.io/instance": "polls", "app.kubernetes.io/managed-by": "berth"}
POD = {"automountServiceAccountToken": False, "securityContext": {"runAsNonRoot": True}, "volumes": [{"name": "tmp", "emptyDir": {}}]}
CONTAINER = {"image": "polls@sha256:1", "envFrom": [{"configMapRef": {"name": "polls-1"}}], "securityContext": {}, "volumeMounts": [], "resources": {}}


def rendered(name: str, **variables: Any) -> dict[str, Any]:
    """Return the object that a template of the role makes of these variables, and of what they leave out."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {"to_json": json.dumps, "combine": lambda one, *others: {key: value for each in (one, *others) for key, value in each.items()}}
    given = {
        "app_name": "polls", "app_version": "1.0", "app_image": CONTAINER["image"], "app_port": 8000, "app_replicas": 2, "app_autoscaling": {},
        "app_command": [], "app_timeout": 300, "app_pull_secrets": [], "app_liveness_path": "/livez", "app_readiness_path": "/readyz", "app_resources": {},
        "__app_component": {"web": LABELS}, "__app_version_label": {}, "__app_selector": {}, "__app_pod": POD, "__app_container": CONTAINER,
    }  # fmt: skip
    return yaml.safe_load(environment.from_string((TEMPLATES / name).read_text(encoding="utf-8")).render(given | variables))


@pytest.mark.parametrize("command", [["uwsgi", "etc/uwsgi.ini"], ["sh", "-c", "exec gunicorn --bind ':8000' # {{ no template }}"], ["gunicorn", ""]])
def test_the_web_container_runs_the_command_of_the_inventory_word_by_word(command: list[str]) -> None:
    assert rendered("deployment.yaml.j2", app_command=command)["spec"]["template"]["spec"]["containers"][0]["command"] == command


def test_without_one_it_runs_what_its_image_says() -> None:
    assert "command" not in rendered("deployment.yaml.j2")["spec"]["template"]["spec"]["containers"][0]
