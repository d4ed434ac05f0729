"""What references of images say."""

from __future__ import annotations

import re

DATABASES = frozenset(
    {
        "postgres",
        "postgresql",
        "postgis",
        "timescaledb",
        "mysql",
        "mysql-server",
        "mariadb",
        "percona",
        "mongo",
        "mongodb",
        "couchdb",
        "cassandra",
        "cockroach",
        "influxdb",
        "elasticsearch",
        "opensearch",
    }
)
"""The last part of the names of images that keep data."""


def parts(reference: str) -> tuple[str, str, str]:
    """Return repository, tag and digest of an image's reference, empty where it has none.

    https://github.com/distribution/reference/blob/v0.6.0/reference.go

    >>> parts("localhost:5000/polls:1.0@sha256:12")
    ('localhost:5000/polls', '1.0', 'sha256:12')
    >>> parts("localhost:5000/polls")
    ('localhost:5000/polls', '', '')
    """
    rest, _, digest = reference.partition("@")
    found = re.fullmatch(r"(?P<repository>.+?)(:(?P<tag>[\w.-]+))?", rest)
    return (found["repository"], found["tag"] or "", digest) if found else (rest, "", digest)


def keeps_data(reference: str) -> bool:
    """Whether an image is known to be a database."""
    return parts(reference)[0].rsplit("/", 1)[-1].lower() in DATABASES
