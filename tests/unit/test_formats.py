"""The formats that Kubernetes, PostgreSQL, Django and cron ask for."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.berth.platform.plugins.module_utils import formats

SCHEDULES = [
    "* * * * *",
    "*/5 0-6,22 1,15 jan-mar,12 MON-FRI",
    "0 0 ? * SUN",
    "5/15 * * * *",
    "59 23 31 12 6",
    "@daily",
    "@every 1h30m",
]
NO_SCHEDULES = ["", "daily", "@reboot", "@every day", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *"]
NO_SCHEDULES += ["* * * 13 *", "* * * * 7", "*/0 * * * *", "5-1 * * * *", "* * * * mon-", "- * * * *", "*-5 * * * *"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", "1"),
        ("100m", "0.1"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("2E", "2e18"),
        (3, "3"),
        (0.5, "0.5"),
    ],
)
def test_a_quantity_is_the_number_that_kubernetes_takes_it_for(text: str | float, number: str) -> None:
    assert formats.quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "1 Gi", "1GB", "Gi", "-1", "1gi", "1.2.3", "ten", True])
def test_what_is_not_a_quantity_is_refused(text: str | bool) -> None:
    assert formats.quantity(text) is None


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_schedule_of_cron_is_taken(text: str) -> None:
    assert formats.schedule(text) == ""


@pytest.mark.parametrize("text", NO_SCHEDULES)
def test_what_is_no_schedule_of_cron_is_refused(text: str) -> None:
    assert "is not a schedule" in formats.schedule(text)


@pytest.mark.parametrize("text", ["a", "polls-dev", "2polls", "x" * 63])
def test_a_dns_label_is_taken(text: str) -> None:
    assert formats.label(text) == ""


@pytest.mark.parametrize("text", ["", "-a", "a-", "a.b", "A", "a_b", "x" * 64, "polls\n", "ä"])
def test_what_is_no_dns_label_is_refused(text: str) -> None:
    assert formats.label(text)


@pytest.mark.parametrize("text", ["example.org", ".example.org", "a-b.c", "192.0.2.1", "[2001:db8::1]", "localhost"])
def test_a_host_name_is_taken(text: str) -> None:
    assert formats.host_name(text) == ""


@pytest.mark.parametrize("text", ["", "*", "https://example.org", "example.org/", "example.org:80", "a b", "-a.org", "x" * 64, "a..b"])
def test_what_is_no_host_name_is_refused(text: str) -> None:
    assert formats.host_name(text)


REGISTRIES = [
    "registry.example.org",
    "registry.example.org:5000",
    "127.0.0.1:5000",
    "[::1]:5000",
    "localhost",
    "localhost:5001/team",
    "registry:5000",
    "registry:5000/a/b",
    "ghcr.io/acme",
    "ghcr.io/acme/team",
    "docker.io/acme",
    "quay.io/acme",
    "europe-docker.pkg.dev/project/images",
    "registry.gitlab.com/group/sub/project",
    "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    "registry.example.org/a.b_c__d--e",
]
REGISTRIES_TO_WRITE_OTHERWISE = [
    ("https://registry.example.org", "registry.example.org"),
    ("http://registry.example.org:5000/", "registry.example.org:5000"),
    ("oci://ghcr.io/acme", "ghcr.io/acme"),
    ("docker://registry.example.org/team", "registry.example.org/team"),
    ("ghcr.io/acme/", "ghcr.io/acme"),
    ("ghcr.io/Acme", "ghcr.io/acme"),
    ("GHCR.IO/acme", "ghcr.io/acme"),
    (" ghcr.io/acme\n", "ghcr.io/acme"),
    ("registry.example.org/v2/", "registry.example.org"),
    ("registry-1.docker.io/acme", "docker.io/acme"),
    ("index.docker.io/acme", "docker.io/acme"),
    ("https://index.docker.io/v1/acme", "docker.io/acme"),
    ("https://hub.docker.com/acme/", "docker.io/acme"),
    ("registry.hub.docker.com/acme", "docker.io/acme"),
    ("docker.io/acme/team", "docker.io/acme"),
    ("docker.io", "docker.io/acme"),
    ("https://index.docker.io/v1/", "docker.io/acme"),
    ("ghcr.io", "ghcr.io/acme"),
    ("acme", "docker.io/acme"),
    ("acme/team", "docker.io/acme"),
    ("registry", "docker.io/registry"),
]
NO_REGISTRIES = [
    "",
    ":5000",
    "registry:",
    "registry:70000",
    "registry:5000:1",
    "registry.example.org//a",
    "registry.example.org/a b",
    "registry.example.org/-a",
    "registry.example.org/a:1.0",
    "a..b/c",
    "registry.example.org:http",
    "ghcr.io/acme?x=1",
    "-a.org",
]


@pytest.mark.parametrize("text", REGISTRIES)
def test_a_registry_as_images_are_named_is_taken(text: str) -> None:
    assert formats.registry(text) == ""


@pytest.mark.parametrize(("text", "better"), REGISTRIES_TO_WRITE_OTHERWISE)
def test_a_registry_that_is_written_otherwise_is_told_as_images_are_named(text: str, better: str) -> None:
    found = formats.registry(text)
    assert found and (f"write {better}" in found or f"write it like {better}" in found)
    assert formats.registry(better) == ""


@pytest.mark.parametrize("text", NO_REGISTRIES)
def test_what_is_no_registry_is_refused(text: str) -> None:
    assert "is not a registry" in formats.registry(text)


@pytest.mark.parametrize("text", ["https://robot:hunter2@ghcr.io/acme", "robot:hunter2@registry.example.org"])
def test_a_login_within_a_registrys_name_is_refused_and_not_shown(text: str) -> None:
    found = formats.registry(text)
    assert "berth_registry_password" in found and "hunter2" not in found


@pytest.mark.parametrize("text", ["polls", "_polls_2", "x" * 63])
def test_a_name_that_postgresql_takes_without_quotes_is_taken(text: str) -> None:
    assert formats.sql_name(text) == ""


@pytest.mark.parametrize("text", ["/x/kubeconfig", "kubeconfig", "~/.kube/dev", ".cache/x"])
def test_a_path_of_a_file_is_taken(text: str) -> None:
    assert formats.file_path(text) == ""


@pytest.mark.parametrize("text", ["", " ", "/", ".", "..", "a/.."])
def test_what_names_no_file_is_refused(text: str) -> None:
    assert formats.file_path(text)


@pytest.mark.parametrize("text", ["", "2polls", "polls-db", "Polls", "x" * 64])
def test_a_name_that_postgresql_would_not_take_is_refused(text: str) -> None:
    assert formats.sql_name(text)


@pytest.mark.parametrize(
    ("value", "good"),
    [("/tmp", True), ("/code/cache", True), ("/", False), ("", False), ("tmp", False), ("/a/", False), ("/a/../b", False), ("/a//b", False), ("/a:b", False)],
)
def test_a_directory_is_written_from_the_root(value: str, good: bool) -> None:
    assert (formats.directory(value) == "") is good


@pytest.mark.parametrize("words", [["gunicorn"], ["/code/run.sh", "", "a b", "--bind=:8000"]])
def test_the_words_of_a_command_are_what_the_kernel_takes(words: list[str]) -> None:
    assert [formats.program(words[0]), *map(formats.argument, words[1:])] == [""] * len(words)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("", "is empty"),
        ("uwsgi etc/uwsgi.ini", "has a space in it"),
        (" uwsgi", "has a space in it"),
        ("uwsgi\n", "has a space in it"),
        ("uw\0sgi", "a NUL character"),
        ("x" * 131_072, "131,072 bytes"),
    ],
)
def test_a_program_that_the_kernel_would_not_find_is_refused(word: str, text: str) -> None:
    assert text in formats.program(word)
