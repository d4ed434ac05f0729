"""What the probes get."""

from __future__ import annotations

from unittest import mock

from django.db import OperationalError, connection
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TestCase
from mysite.health import Migrations


class LivezTests(SimpleTestCase):
    """Liveness; a SimpleTestCase fails on any query, so these prove that the database is left alone."""

    def test_livez_answers_without_a_database(self) -> None:
        """The process lives, whatever the database does."""
        response = self.client.get("/livez", headers={"host": "localhost"})
        self.assertEqual((response.status_code, response.json()), (200, {"status": "ok"}))

    def test_livez_is_not_cached(self) -> None:
        """No proxy may answer for the process."""
        self.assertIn("no-store", self.client.get("/livez")["Cache-Control"])

    def test_health_takes_no_post(self) -> None:
        """Probes read only."""
        for path in ("/livez", "/readyz"):
            with self.subTest(path):
                self.assertEqual(self.client.post(path).status_code, 405)


class HostTests(SimpleTestCase):
    """A load balancer asks a pod by its address, which no list of hosts holds."""

    def test_livez_answers_whatever_the_host_is(self) -> None:
        """Also to what is no host name at all."""
        for host in ("10.60.3.17:8000", "elsewhere.example", "bad host\x00"):
            with self.subTest(host):
                self.assertEqual(self.client.get("/livez", headers={"host": host}).status_code, 200)

    def test_every_other_path_is_refused_to_a_host_that_is_not_the_sites(self) -> None:
        """Django's check holds for all but the probes' very paths."""
        for path in ("/", "/polls/", "/livez/", "/readyz/x", "//livez", "/admin/login/"):
            with self.subTest(path), self.assertLogs("django.security.DisallowedHost", "ERROR"):
                self.assertEqual(self.client.get(path, headers={"host": "10.60.3.17:8000"}).status_code, 400)


class ReadyzTests(TestCase):
    """Readiness."""

    def setUp(self) -> None:
        """Forget what this process knows about migrations."""
        Migrations.applied = False
        self.addCleanup(setattr, Migrations, "applied", False)

    def test_readyz_is_ok_on_a_migrated_database(self) -> None:
        """The database answers and nothing is left to migrate."""
        response = self.client.get("/readyz", headers={"host": "localhost:8000"})
        self.assertEqual((response.status_code, response.json()), (200, {"status": "ok"}))

    def test_readyz_answers_whatever_the_host_is(self) -> None:
        """The health check of a load balancer takes the pod in."""
        self.assertEqual(self.client.get("/readyz", headers={"host": "10.60.3.17:8000"}).status_code, 200)

    def test_readyz_asks_for_migrations_only_until_they_are_applied(self) -> None:
        """The second answer costs one query."""
        self.client.get("/readyz")
        with self.assertNumQueries(1):
            self.assertEqual(self.client.get("/readyz").status_code, 200)

    def test_readyz_names_unapplied_migrations_in_the_log(self) -> None:
        """A pod before its migration takes no traffic, and becomes ready once it is applied."""
        recorder = MigrationRecorder(connection)
        recorder.record_unapplied("polls", "0001_initial")
        with self.assertLogs("mysite.health", "WARNING") as logs:
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json(), {"status": "unavailable", "reason": "1 unapplied migration(s)"})
        self.assertIn("polls.0001_initial", logs.output[0])
        recorder.record_applied("polls", "0001_initial")
        self.assertEqual(self.client.get("/readyz").status_code, 200)

    def test_readyz_is_503_without_a_database_and_keeps_its_address_in_the_log(self) -> None:
        """The reason is JSON; the words of the driver are for the operator."""
        error = OperationalError('connection to server at "db.example", port 5432 failed:\n\tConnection refused')
        with (
            mock.patch.object(connection, "cursor", side_effect=error),
            self.assertLogs("mysite.health", "WARNING") as logs,
        ):
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json(), {"status": "unavailable", "reason": "the database does not answer"})
        self.assertIn("db.example", logs.output[0])
        self.assertNotIn("\n", logs.output[0])

    def test_readyz_is_503_when_the_database_goes_away_later(self) -> None:
        """What is remembered are the migrations, not the connection."""
        self.assertEqual(self.client.get("/readyz").status_code, 200)
        with (
            mock.patch.object(connection, "cursor", side_effect=OperationalError("gone")),
            self.assertLogs("mysite.health", "WARNING"),
        ):
            self.assertEqual(self.client.get("/readyz").status_code, 503)

    def test_readyz_is_503_on_an_inconsistent_history(self) -> None:
        """A database that another release has half migrated is said to be so."""
        with (
            mock.patch.object(Migrations, "pending", side_effect=InconsistentMigrationHistory("b before a")),
            self.assertLogs("mysite.health", "WARNING"),
        ):
            response = self.client.get("/readyz")
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json()["reason"], "the history of migrations is inconsistent")
