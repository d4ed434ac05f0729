"""Find out what a page of the app raises, by requesting it in one of its pods.

With DEBUG off, Django's default LOGGING sends the traceback of a failing page to ADMINS, if there are any: the pod's log shows only the 500.
https://docs.djangoproject.com/en/stable/ref/logging/#default-logging-configuration
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Sequence

from ..kube import served_files
from ..kube.client import Cluster, KubeError
from ..kube.objects import Object
from ..kube.redact import redact, unshown
from . import django_shell, symptoms
from .reading import newest_ready

MARK = "berth-page-error "
"""The start of the line with the traceback."""
TIMEOUT = 30.0  # seconds: on a busy node a project takes several to load

# Run in Django's shell, which loads the settings like every command. Middleware and views run as for a visitor; WSGI or ASGI wrappers do not.
SCRIPT = """
import json, traceback
from django.core.signals import got_request_exception
from django.test import Client
from django.test.client import RedirectCycleError
path, host = {path!r}, {host!r}
raised = []
def note(**_):
    raised.append(traceback.format_exc())
got_request_exception.connect(note)
try:
    Client(raise_request_exception=False).get(path, follow=True, HTTP_HOST=host, HTTP_USER_AGENT="berth")
except RedirectCycleError:
    pass
except Exception:
    note()
print({mark!r} + json.dumps("\\n".join(raised[-1:])))
"""


def ask(cluster: Cluster, pod: Object, path: str, host: str) -> list[str]:
    """Return the traceback of what a page raises, without secrets; no lines if it raises nothing, or if the page cannot be requested.

    Args:
        cluster: The API server.
        pod: A pod that runs the app, as read.
        path: The page, as ``/polls/``.
        host: The request's Host header.
    """
    script = SCRIPT.format(path=path, host=host, mark=MARK)
    meta, container = pod["metadata"], served_files.app_container(pod["spec"])
    try:
        said = cluster.output(meta["namespace"], meta["name"], container["name"], django_shell.command(script), TIMEOUT)
    except KubeError:
        return []
    values = unshown(cluster, meta["namespace"], pod["spec"])
    return [redact(line, values) for line in read(said)]


def read(said: str) -> list[str]:
    """Return the lines of the traceback in the script's output.

    >>> read('berth-page-error "Traceback (most recent call last):\\\\nKeyError: 1\\\\n"')
    ['Traceback (most recent call last):', 'KeyError: 1']
    """
    for line in reversed(said.splitlines()):
        if line.startswith(MARK):
            try:
                return str(json.loads(line.removeprefix(MARK))).splitlines()
            except ValueError:
                return []
    return []


def last_traceback(log: Sequence[str]) -> list[str]:
    """Return the last traceback of a log, with the error's first line; no lines if there is none.

    >>> last_traceback(["starting", "Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: no", "GET / 500"])
    ['Traceback (most recent call last):', '  File "a.py", line 1', 'ValueError: no']
    """
    begins = [index for index, line in enumerate(log) if line.startswith("Traceback (most recent call last)")]
    if not begins:
        return []
    end = next((index for index, line in enumerate(log[begins[-1] + 1 :], begins[-1] + 1) if line[:1].strip()), len(log) - 1)
    return list(log[begins[-1] : end + 1])


def told(lines: Sequence[str]) -> str:
    """Return in one sentence what a page raises and where in the project, and what to do if that is known; "" for no lines."""
    raised, way = explained(lines)
    return f"{raised}. {way}" if way else raised


def explained(lines: Sequence[str]) -> tuple[str, str]:
    """Return what a page raises and where in the project, and what to do if that is known, both without a full stop; "" for no lines.

    >>> explained(['  File "/code/shop/views.py", line 7, in index', "    1 / 0", "ZeroDivisionError: division by zero"])
    ('it raises ZeroDivisionError: division by zero (/code/shop/views.py:7)', '')
    """
    if not lines:
        return "", ""
    # An exception's text may have several lines, after the last place; the first is enough.
    last = max((index for index, line in enumerate(lines) if line.startswith("  File ")), default=-1)
    words = next((line for line in lines[last + 1 :] if line[:1].strip()), lines[-1]).strip().rstrip(".")[:500]
    symptom, place = symptoms.of_log(lines), symptoms.place(lines)
    raised = f"it raises {words}{place}"
    if not symptom or symptom.cause == "crash":
        return raised, ""
    return f"{raised}: {symptom.summary.removesuffix(place)}", symptom.advice.rstrip(".")


def of_url(cluster: Cluster, namespace: str, name: str, url: str) -> list[str]:
    """Return the traceback of what a page of a Deployment's app raises, like ``ask``; the page's URL need not be reachable."""
    where = urllib.parse.urlsplit(url)
    try:
        pod = newest_ready(cluster, namespace, name)
    except KubeError:
        return []
    return ask(cluster, pod, urllib.parse.urlunsplit(("", "", where.path or "/", where.query, "")), where.netloc) if pod else []
