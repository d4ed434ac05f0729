"""Uploads and static files that the app does not serve: nginx in its pods serves them to visitors, and passes every other request to the app.

In ``berth_app_volumes``, ``url`` says which volumes are served; ``berth_app_static`` says where the image has static files. Nothing is read from a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Volume = Mapping[str, Any]
Static = Mapping[str, str]
"""``path`` in the app's image and ``url``; empty if the app serves its static files itself."""
Resources = dict[str, dict[str, Any]]

CONTAINER = "files"
RESOURCES: Resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
"""A connection to the app takes 64 KiB at most, so this is enough for more than a thousand at a time."""
STATIC_SIZE = "2Gi"
"""The maximum size of the copy of the static files."""
LATER = 2
"""Seconds for which the app outlives the web server's wait, so that every request that is still accepted can be passed on."""
ENDS = 35
"""Seconds that the web server gives requests in progress, a little less than its pod has."""
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container"""

# The shell does not interpret the configuration: it is the value of a variable.
COMMAND = ["sh", "-c", 'printf %s "$NGINX_CONFIGURATION" > /tmp/nginx.conf && exec nginx -e stderr -c /tmp/nginx.conf']
COPY = """\
import os, shutil, sys, zlib

source, target = sys.argv[1:]


def end(text):
    sys.exit(f"berth_app_static: {source} {text}")


def changed(path):
    if at := int(os.stat(path).st_mtime):
        return at
    content = 0
    with open(path, "rb") as file:
        while block := file.read(2**20):
            content = zlib.crc32(block, content)
    return content % 10**9 + 1


if not os.path.isdir(source):
    end("is not in the image")
copied = 0
os.umask(0o022)
try:
    for place, _, names in os.walk(source, onerror=lambda error: end(f"cannot be read: {error.strerror}: {error.filename}"), followlinks=True):
        there = os.path.join(target, os.path.relpath(place, source))
        os.makedirs(there, exist_ok=True)
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path):
                copy = shutil.copyfile(path, os.path.join(there, name))
                os.utime(copy, (0, changed(path)))
                copied += 1
except OSError as error:
    end(f"cannot be copied: {error.strerror}: {error.filename}")
if not copied:
    end("has no files in the image")
"""
"""Python that copies a directory's files with their modification times, but no other metadata.

Browsers' caches are validated by that time and the size. In an image built by buildah all times are 0: a time in the past is derived from the content instead.
"""


def app_container(spec: Mapping[str, Any]) -> Any:
    """Return the container of a pod that runs the app, not the web server for files next to it; None if there is none."""
    return next((each for each in spec.get("containers") or [] if each["name"] != CONTAINER), None)


def served(volumes: Mapping[str, Volume], static: Static) -> dict[str, str]:
    """Return the web server's directory for each URL that it serves.

    >>> served({"media": {"path": "/code/media", "url": "/media/"}, "private": {"path": "/data"}}, {"path": "/code/static", "url": "/static/"})
    {'/media/': '/volumes/media/', '/static/': '/static/'}
    """
    found = {volume["url"]: f"/volumes/{name}/" for name, volume in volumes.items() if volume.get("url")}
    return found | ({static["url"]: "/static/"} if static else {})


def port(app_port: int) -> int:
    """Return the port of the web server, which differs from the app's.

    >>> port(8000), port(8080)
    (8080, 8081)
    """
    return 8081 if int(app_port) == 8080 else 8080


def ports(app_port: int) -> list[dict[str, Any]]:
    """Return the ports of web pods for visitors, as in a NetworkPolicy: without and with the web server, because a release may have both kinds of pods.

    >>> ports(8000)
    [{'port': 8000, 'protocol': 'TCP'}, {'port': 8080, 'protocol': 'TCP'}]
    """
    return [{"port": number, "protocol": "TCP"} for number in (int(app_port), port(app_port))]


def resources(app: Mapping[str, Mapping[str, Any]]) -> Resources:
    """Return the web server's resources: small, plus the app's values for resources that a quota may require of every container.

    >>> resources({"requests": {"cpu": 1}, "limits": {"cpu": 2, "example.com/gpu": 1}})
    {'requests': {'cpu': '10m', 'memory': '32Mi'}, 'limits': {'cpu': 2, 'memory': '128Mi'}}
    """
    return {kind: {**{key: value for key, value in (app.get(kind) or {}).items() if "/" not in key}, **own} for kind, own in RESOURCES.items()}


def parts(volumes: Mapping[str, Volume], static: Static, app_port: int, image: str, base: Mapping[str, Any], leave: int) -> dict[str, Any]:
    """Return the parts of a web pod for the web server; each is empty if the app serves everything itself.

    Args:
        volumes: ``berth_app_volumes``.
        static: ``berth_app_static``.
        app_port: The app's port.
        image: The image with nginx.
        base: What every container of the app has in common.
        leave: Seconds for which a terminating pod still accepts requests.

    Returns:
        ``containers``, ``init_containers``, ``volumes`` and ``annotations`` of the pod, ``app_port_name``, and ``later``: how many seconds
        longer than the web server the app waits.
    """
    urls = served(volumes, static)
    if not urls:
        return {"containers": [], "init_containers": [], "volumes": [], "annotations": {}, "app_port_name": "http", "later": 0}
    mounts = [{"name": f"volume--{name}", "mountPath": f"/volumes/{name}", "readOnly": True} for name, volume in volumes.items() if volume.get("url")]
    own: list[dict[str, Any]] = [{"name": "files--tmp", "emptyDir": {"sizeLimit": "16Mi"}}]
    copying = []
    if static:
        copied = {"name": "files--static", "mountPath": "/static"}
        own.append({"name": copied["name"], "emptyDir": {"sizeLimit": STATIC_SIZE}})
        mounts.append({**copied, "readOnly": True})
        copying.append(
            {
                "name": "static",
                "image": base["image"],
                "command": ["python", "-c", COPY, static["path"], copied["mountPath"]],
                "resources": base["resources"],
                "securityContext": base["securityContext"],
                "volumeMounts": [copied],
            }
        )
    asked = {"tcpSocket": {"port": "http"}, "timeoutSeconds": 5}
    container = {
        "name": CONTAINER,
        "image": image,
        "command": COMMAND,
        "env": [{"name": "NGINX_CONFIGURATION", "value": configuration(urls, app_port, static)}],
        "ports": [{"name": "http", "containerPort": port(app_port)}],
        "startupProbe": asked | {"periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": asked | {"periodSeconds": 5},
        "livenessProbe": asked | {"periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"sleep": {"seconds": leave}}},
        "resources": resources(base["resources"]),
        "securityContext": base["securityContext"],
        "volumeMounts": [{"name": "files--tmp", "mountPath": "/tmp"}, *mounts],
    }
    return {
        "containers": [container],
        "init_containers": copying,
        "volumes": own,
        "annotations": {DEFAULT_CONTAINER: "web"},
        "app_port_name": "app",
        "later": LATER,
    }


def configuration(urls: Mapping[str, str], app_port: int, static: Static) -> str:
    """Return nginx.conf.

    Args:
        urls: The directory for each URL, as ``served`` returns it.
        app_port: The app's port.
        static: ``berth_app_static``.
    """
    locations = "".join(_location(url, directory, url == static.get("url")) for url, directory in urls.items())
    return _CONFIGURATION.format(ends=ENDS, port=port(app_port), app_port=int(app_port), locations=locations)


def _location(url: str, directory: str, is_static: bool) -> str:
    """Return the location block of a URL; visitors' uploads cannot run scripts on the site's origin."""
    header = "Cache-Control $static_age" if is_static else "Content-Security-Policy \"script-src 'none'\""
    return _LOCATION.format(url=url, directory=directory, root=directory.rstrip("/"), header=header)


# No request or response is buffered: uploads and responses of any size, streams and WebSockets pass through as they would without nginx. A connection
# to the app serves one request, so that no request is lost when the app closes a connection. https://nginx.org/en/docs/http/ngx_http_proxy_module.html
_CONFIGURATION = """\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
worker_processes 2;
worker_shutdown_timeout {ends}s;
events {{
    worker_connections 4096;
}}
http {{
    include /etc/nginx/mime.types;
    types {{
        text/javascript mjs;
        application/manifest+json webmanifest;
    }}
    default_type application/octet-stream;
    access_log off;
    log_not_found off;
    server_tokens off;
    absolute_redirect off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    scgi_temp_path /tmp/scgi;
    uwsgi_temp_path /tmp/uwsgi;
    client_max_body_size 0;
    large_client_header_buffers 4 32k;
    map $http_upgrade $app_connection {{
        default upgrade;
        "" close;
    }}
    map $uri $static_age {{
        default "public, max-age=60";
        "~\\.[0-9a-f]{{12}}\\.[^/]+$" "public, max-age=31536000, immutable";
    }}
    server {{
        listen {port};
        location / {{
            proxy_pass http://127.0.0.1:{app_port};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $app_connection;
            proxy_redirect off;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_buffer_size 32k;
            proxy_buffers 4 32k;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }}
        location @missing {{
            return 404;
        }}
{locations}    }}
}}
"""
_LOCATION = """\
        location {url} {{
            alias {directory};
            disable_symlinks on from={root};
            error_page 403 = @missing;
            add_header X-Content-Type-Options nosniff;
            add_header {header};
            location ~ /\\. {{
                return 404;
            }}
        }}
"""
