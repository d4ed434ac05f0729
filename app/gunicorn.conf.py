"""Settings of gunicorn: https://docs.gunicorn.org/en/stable/settings.html. The number of workers is WEB_CONCURRENCY."""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from django.core.exceptions import ImproperlyConfigured
from mysite import logs

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter

wsgi_app = "mysite.wsgi"
bind = "0.0.0.0:8000"

workers = os.environ.get("WEB_CONCURRENCY") or 2
worker_class = "gthread"
threads = 4
graceful_timeout = 30
# Longer than a load balancer keeps an idle connection (60 seconds on AWS), which must not find it closed:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html#connection-idle-timeout
keepalive = 75

# The heartbeat file wants memory, not a disk that may block:
# https://docs.gunicorn.org/en/stable/faq.html#how-do-i-avoid-gunicorn-excessively-blocking-in-os-fchmod
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
# The root file system is read-only, and nobody would use it.
control_socket_disable = True

access_log_format = logs.ACCESS_FORMAT
logconfig_dict = logs.configuration("INFO", as_json=True)
logging.captureWarnings(True)


def on_starting(server: Arbiter) -> None:
    """Stop at once, with one line, when the settings are wrong: no worker could start."""
    try:
        import_module("mysite.settings")
    except ImproperlyConfigured as error:
        server.log.critical("%s", error)
        sys.exit(1)
