"""Log records as JSON, one object per line, for both Django and gunicorn."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

HEALTH_PATHS = frozenset({"/livez", "/readyz"})
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# https://docs.gunicorn.org/en/stable/settings.html#access-log-format
ACCESS_FIELDS = {
    "method": "m",
    "path": "U",
    "status": "s",
    "bytes": "B",
    "duration_ms": "M",
    "remote": "h",
    "user_agent": "a",
}
ACCESS_FORMAT = "%(m)s %(U)s %(s)s"


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (UTC), level, logger, message and any further fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. A gunicorn access record includes its request, an error its traceback."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.name == "gunicorn.access" and isinstance(record.args, Mapping):
            entry |= {name: record.args[atom] for name, atom in ACCESS_FIELDS.items()}
            entry["status"] = int(entry["status"])
        if status := getattr(record, "status_code", None):
            entry["status"] = status
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


class SkipHealth(logging.Filter):
    """Drops the records of health checks, which come every few seconds and would drown out the rest."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False for a request to a health path, whether gunicorn or Django logged it."""
        if record.name == "gunicorn.access" and isinstance(record.args, Mapping):
            return record.args.get("U") not in HEALTH_PATHS
        return getattr(getattr(record, "request", None), "path", None) not in HEALTH_PATHS


def configuration(level: str, *, as_json: bool) -> dict[str, Any]:
    """Return a logging.config dictionary that sends everything to stdout with one handler.

    Args:
        level: the lowest level to show, one of LEVELS.
        as_json: whether to write JSON lines rather than plain text for people.

    See https://docs.python.org/3/library/logging.config.html#logging-config-dictschema
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"skip_health": {"()": SkipHealth}},
        "formatters": {
            "json": {"()": JsonFormatter},
            "plain": {"format": "%(levelname)s %(name)s: %(message)s"},
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "json" if as_json else "plain",
                "filters": ["skip_health"],
            },
        },
        "root": {"handlers": ["stdout"], "level": level},
        # Listed so that their default handlers from Django and gunicorn are replaced and no line appears twice.
        "loggers": {
            "django": {"level": level, "handlers": [], "propagate": True},
            "axes": {"level": "WARNING", "handlers": [], "propagate": True},  # it logs every step of every login
            "gunicorn.error": {"level": level, "handlers": [], "propagate": True},
            "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": True},
        },
    }
