"""Uploads and static files that visitors are shown: the web server beside the app, its configuration, and what an inventory may say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.kube import app_volumes, probes, served_files
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import room, variables
from test_release import CONTAINER, rendered

Json = dict[str, Any]
MEDIA: Json = {"path": "/code/media", "size": "5Gi", "url": "/media/"}
PRIVATE: Json = {"path": "/code/private", "size": "5Gi"}
STATIC = {"path": "/code/static", "url": "/static/"}
BASE = CONTAINER | {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}, "securityContext": {"privileged": False}}
BOTH: tuple[Json, Json] = ({"media": MEDIA, "private": PRIVATE}, STATIC)


def parts(volumes: Json, static: Json, port: int = 8000, leave: int = 5) -> Json:
    return served_files.parts(volumes, static, port, "nginx:1", BASE, leave)


def pod(volumes: Json, static: Json, port: int = 8000, leave: int = 5) -> Json:
    """Return the template of the web pods."""
    mounted: Json = {"volumes": app_volumes.pod_volumes(volumes, "polls")}
    given = {"app_port": port, "app_leave_seconds": leave, "__app_files": parts(volumes, static, port, leave), "__app_pod": mounted | {"securityContext": {}}}
    return rendered("deployment.yaml.j2", **given)["spec"]["template"]


def configuration(volumes: Json, static: Json, port: int = 8000) -> str:
    (container,) = parts(volumes, static, port)["containers"]
    return container["env"][0]["value"]


def location(text: str, url: str) -> str:
    found = re.search(rf"^ {{8}}location {re.escape(url)} {{\n(.*?)^ {{8}}}}\n", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[1]


# --- The pod ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("volumes", [{}, {"private": PRIVATE}])
def test_an_app_that_serves_all_itself_has_the_pods_that_it_had(volumes: Json) -> None:
    template = pod(volumes, {})
    assert [each["name"] for each in template["spec"]["containers"]] == ["web"]
    assert template["spec"]["containers"][0]["ports"] == [{"name": "http", "containerPort": 8000}]
    assert "initContainers" not in template["spec"] and "annotations" not in template["metadata"]
    assert template["spec"]["terminationGracePeriodSeconds"] == 45


@pytest.mark.parametrize(("volumes", "static"), [({"media": MEDIA}, {}), ({}, STATIC), BOTH])
@pytest.mark.parametrize(("port", "own"), [(8000, 8080), (8080, 8081), ("8080", 8081), (80, 8080)])
def test_the_port_of_visitors_is_that_of_whoever_takes_them(volumes: Json, static: Json, port: int, own: int) -> None:
    web, files = pod(volumes, static, port)["spec"]["containers"]
    assert rendered("service.yaml.j2", app_node_port=0, app_address="10.0.0.1")["spec"]["ports"][0]["targetPort"] == "http"
    assert (files["ports"], web["ports"]) == ([{"name": "http", "containerPort": own}], [{"name": "app", "containerPort": int(port)}])
    assert f"listen {own};" in files["env"][0]["value"] and f"proxy_pass http://127.0.0.1:{port};" in files["env"][0]["value"]
    assert [each["port"] for each in served_files.ports(port)] == [int(port), own]


@pytest.mark.parametrize("given", [{}, {"type": "tcp"}])
def test_each_container_is_asked_for_its_own_health(given: Json) -> None:
    web, files = rendered("deployment.yaml.j2", app_probe=given, __app_files=parts(*BOTH))["spec"]["template"]["spec"]["containers"]
    for kind in probes.KINDS:
        (asked,) = (web[kind][action] for action in ("httpGet", "tcpSocket") if action in web[kind])
        assert asked["port"] == "app"
        assert files[kind]["tcpSocket"] == {"port": "http"}
    assert [probe.port for probe in probes.probes(web)] == ([] if given else [8000, 8000])
    assert probes.probes(files) == []


@pytest.mark.parametrize("leave", [5, 15])
def test_the_web_server_never_meets_an_app_that_is_gone(leave: int) -> None:
    spec = pod(*BOTH, leave=leave)["spec"]
    web, files = (each["lifecycle"]["preStop"]["sleep"]["seconds"] for each in spec["containers"])
    assert (files, web) == (leave, leave + 2)
    assert spec["terminationGracePeriodSeconds"] == web + 40 > files + served_files.ENDS
    assert f"worker_shutdown_timeout {served_files.ENDS}s;" in configuration(*BOTH)


def test_it_is_confined_as_the_app_is_and_may_write_to_its_temporary_files_alone() -> None:
    _, files = pod(*BOTH)["spec"]["containers"]
    assert files["securityContext"] == BASE["securityContext"]
    assert [mount["mountPath"] for mount in files["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]
    assert set(re.findall(r"(?:pid|_temp_path) (\S+?)/[\w.]+;", configuration(*BOTH))) == {"/tmp"}
    assert "envFrom" not in files  # nor has it the app's secrets


def test_it_has_the_volumes_that_are_shown_and_no_others() -> None:
    template = pod(*BOTH)
    mounts = {mount["name"]: mount["mountPath"] for mount in template["spec"]["containers"][1]["volumeMounts"]}
    assert mounts == {"files--tmp": "/tmp", "volume--media": "/volumes/media", "files--static": "/static"}
    assert set(mounts) <= {volume["name"] for volume in template["spec"]["volumes"]}
    assert all(name in mounts.values() for name in ("/volumes/media", "/static"))


def test_whoever_looks_into_the_pod_sees_the_app() -> None:
    template = pod(*BOTH)
    assert template["metadata"]["annotations"] == {"kubectl.kubernetes.io/default-container": "web"}
    assert template["spec"]["containers"][0]["name"] == "web"  # commands and rollbacks take the first


def test_nothing_of_the_configuration_is_read_by_a_shell_or_by_kubernetes() -> None:
    _, files = pod(*BOTH)["spec"]["containers"]
    assert "NGINX_CONFIGURATION" in files["command"][2] and "location" not in files["command"][2]
    assert "$(" not in files["env"][0]["value"]  # https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables


def test_a_quota_that_counts_what_the_app_takes_finds_the_web_server_taking_it_too() -> None:
    given = {"requests": {"cpu": "1", "ephemeral-storage": "1Gi"}, "limits": {"cpu": 2, "memory": "1Gi", "example.com/gpu": 1}}
    found = served_files.resources(given)
    assert found["requests"] == {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "1Gi"}
    assert found["limits"] == {"cpu": 2, "memory": "128Mi"}


# --- The configuration ------------------------------------------------------------------------------------------------
def test_only_what_is_shown_is_served_and_the_rest_goes_to_the_app() -> None:
    text = configuration(*BOTH)
    assert re.findall(r"^ {8}location (\S+) {", text, re.MULTILINE) == ["/", "@missing", "/media/", "/static/"]
    assert "alias /volumes/media/;" in location(text, "/media/") and "alias /static/;" in location(text, "/static/")
    assert "private" not in text
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("url", ["/media/", "/static/"])
def test_files_are_what_their_names_say_and_lead_nowhere_else(url: str) -> None:
    text = location(configuration(*BOTH), url)
    assert "add_header X-Content-Type-Options nosniff;" in text
    assert "location ~ /\\. {\n                return 404;" in text
    root = re.search(r"alias (\S+)/;", text)
    assert root and f"disable_symlinks on from={root[1]};" in text
    assert "proxy_pass" not in text and "autoindex" not in text


def test_static_files_are_kept_by_browsers_and_uploads_run_no_scripts() -> None:
    text = configuration(*BOTH)
    assert "Cache-Control" in location(text, "/static/") and "script-src 'none'" in location(text, "/media/")
    assert "Cache-Control" not in location(text, "/media/") and "script-src" not in location(text, "/static/")


@pytest.mark.parametrize(("name", "kept"), [("app.0123456789ab.css", True), ("app.css", False), ("0123456789ab.css", False), ("app.0123456789abc.css", False)])
def test_a_name_with_the_hash_of_its_content_is_kept_for_ever(name: str, kept: bool) -> None:
    """As ManifestStaticFilesStorage makes them: https://docs.djangoproject.com/en/stable/ref/contrib/staticfiles/#manifeststaticfilesstorage."""
    pattern = re.search(r'"~(.*)" "public, max-age=31536000, immutable";', configuration(*BOTH))
    assert pattern and bool(re.search(pattern[1], f"/static/{name}")) is kept


@pytest.mark.parametrize(
    "line",
    [
        "client_max_body_size 0;",
        "proxy_http_version 1.1;",
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "proxy_set_header Host $http_host;",
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_redirect off;",
        "absolute_redirect off;",
        "server_tokens off;",
        "access_log off;",
        "error_log stderr;",
    ],
)
def test_what_is_handed_on_comes_through_as_it_does_without_it(line: str) -> None:
    assert line in configuration(*BOTH)
    assert "X-Forwarded" not in configuration(*BOTH)  # they are what came


# --- The copy of the static files -------------------------------------------------------------------------------------
def copy(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", "-S", "-c", served_files.COPY, str(source), str(target)], capture_output=True, text=True, check=False)


def test_the_app_copies_what_its_image_has_and_nothing_but_content_and_time(tmp_path: Path) -> None:
    source, target = tmp_path / "static", tmp_path / "target"
    (source / "admin" / "css").mkdir(parents=True)
    file = source / "admin" / "css" / "base.css"
    file.write_text("body {}", encoding="utf-8")
    file.chmod(0o4711)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    (source / "linked.css").symlink_to(file)
    (source / "dangling.css").symlink_to(tmp_path / "nothing")
    assert [copy(source, target).returncode for _ in range(2)] == [0, 0]  # the second is that of a node that was restarted
    found = {str(path.relative_to(target)): path.stat() for path in target.rglob("*") if path.is_file()}
    assert set(found) == {"admin/css/base.css", "linked.css"}
    assert {oct(status.st_mode & 0o7777) for status in found.values()} == {"0o644"}
    assert {status.st_mtime for status in found.values()} == {1_700_000_000}
    assert not (target / "linked.css").is_symlink()


def test_an_edited_file_of_the_same_size_is_another_to_browsers_though_files_of_images_have_no_time(tmp_path: Path) -> None:
    # nginx compares the time and the size alone: https://nginx.org/en/docs/http/ngx_http_core_module.html#etag
    times = []
    for number, text in enumerate(["a {color: red}", "a {color: tan}", "a {color: red}"]):
        file = tmp_path / f"static{number}" / "style.css"
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")
        os.utime(file, (0, 0))
        assert copy(file.parent, tmp_path / f"target{number}").returncode == 0
        times.append((tmp_path / f"target{number}" / "style.css").stat().st_mtime)
    assert times[0] != times[1] and times[0] == times[2]
    assert all(0 < at < time.time() for at in times)


@pytest.mark.parametrize(("made", "words"), [(False, "is not in the image"), (True, "has no files in the image")])
def test_static_files_that_the_image_lacks_are_told_with_the_variable(tmp_path: Path, made: bool, words: str) -> None:
    source = tmp_path / "static"
    if made:
        (source / "empty").mkdir(parents=True)
    done = copy(source, tmp_path / "target")
    assert (done.returncode, done.stderr) == (1, f"berth_app_static: {source} {words}\n")


def test_the_copy_is_made_with_the_apps_image_and_without_its_secrets() -> None:
    (made,) = pod(*BOTH)["spec"]["initContainers"]
    assert (made["image"], made["command"][:2], made["command"][3:]) == (BASE["image"], ["python", "-c"], ["/code/static", "/static"])
    assert "envFrom" not in made and made["securityContext"] == BASE["securityContext"]
    assert "initContainers" not in pod({"media": MEDIA}, {})["spec"]


# --- What an inventory may say ----------------------------------------------------------------------------------------
WRONG = ["/", "", "media/", "/media", "//", "/a//b/", "https://cdn.example.com/media/", "/../", "/media/\n"]
WRONG += [f"/me{text}dia/" for text in (" ", ";", "{", "}", '"', "'", "$", "\n", "#", "\\", "%20", "é", "/.x")]
VOLUMES, PLACE = "berth_app_volumes.media.url", "berth_app_static"


@pytest.mark.parametrize(
    ("media", "static", "place", "words"),
    [
        ("/media/", {}, "", ""),
        ("/media/", STATIC, "", ""),
        ("/static/media/", STATIC, "", ""),
        ("/a/b-c_d.e~/", {}, "", ""),
        *((url, {}, VOLUMES, "write it from one / to another") for url in WRONG),
        ("/static/", STATIC, f"{PLACE}.url", "/static/ is also berth_app_volumes.media.url"),
        ("/media/", STATIC | {"url": "/static"}, f"{PLACE}.url", "write it from one / to another"),
        ("/media/", STATIC | {"path": "static"}, f"{PLACE}.path", "is not the path of a directory"),
        ("/media/", STATIC | {"path": "/code/media"}, f"{PLACE}.path", "(berth_app_volumes.media), which hides the files in the image"),
        ("/media/", STATIC | {"path": "/code/media/static"}, f"{PLACE}.path", "is in /code/media (berth_app_volumes.media)"),
        ("/media/", STATIC | {"path": "/code/cache/static"}, f"{PLACE}.path", "is in /code/cache (berth_app_writable)"),
        ("/media/", STATIC | {"path": "/code/media2"}, "", ""),
    ],
)
def test_what_visitors_are_shown_is_told_apart(media: str, static: Json, place: str, words: str) -> None:
    volumes = {"media": MEDIA | {"url": media}, "private": PRIVATE}
    found = variables.files({"berth_app_volumes": volumes, "berth_app_static": static, "berth_app_writable": {"/code/cache": "1Gi"}})
    assert [problem.name for problem in found] == ([place] if place else [])
    assert not found or words in found[0].text


@pytest.mark.parametrize(("static", "lacking"), [({"path": "/code/static"}, "url"), ({"url": "/static/"}, "path"), (STATIC | {"url": None}, "url")])
def test_static_files_without_half_of_what_is_needed_are_told(static: Json, lacking: str) -> None:
    (found,) = variables.files({"berth_app_static": static})
    assert (".".join(map(str, found.path)), found.text) == (f"{PLACE}.{lacking}", "is missing")


def test_what_the_web_server_takes_has_room_in_the_quota() -> None:
    whole = room.together(BASE["resources"], served_files.resources(BASE["resources"]))
    assert {kind: {key: str(value) for key, value in values.items()} for kind, values in whole.items()} == {
        "requests": {"cpu": "0.060", "memory": str(160 * 2**20)},
        "limits": {"memory": str(384 * 2**20)},
    }
