"""Management commands of the polls."""

from __future__ import annotations

import os
from io import StringIO
from unittest import mock

from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command
from django.http import HttpRequest
from django.test import TestCase, override_settings
from django.urls import reverse

from polls.management.commands.seed_polls import SAMPLE_POLLS
from polls.models import Choice, Question
from polls.tests.factories import FAST_HASHERS, create_question


def run(name: str, **environment: str) -> str:
    """Run a management command with these variables and no other of its own; return what it says."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO_SUPERUSER_")}
    output = StringIO()
    with mock.patch.dict(os.environ, clean | environment, clear=True):
        call_command(name, stdout=output, no_color=True)
    return output.getvalue()


class MigrationTests(TestCase):
    """manage.py makemigrations."""

    def test_models_have_their_migrations(self) -> None:
        """No change of a model is without its migration."""
        output = StringIO()
        call_command("makemigrations", check_changes=True, dry_run=True, stdout=output, no_color=True)
        self.assertEqual(output.getvalue(), "No changes detected\n")


class SeedPollsTests(TestCase):
    """manage.py seed_polls."""

    def test_three_sample_polls_are_made_and_shown(self) -> None:
        """An empty site gets its three polls, each with choices, in their order."""
        self.assertIn("Sample polls: 3 created, 0 kept.", run("seed_polls"))
        shown = self.client.get(reverse("polls:index")).context["latest_question_list"]
        self.assertEqual([question.question_text for question in shown], list(SAMPLE_POLLS))
        self.assertEqual(Choice.objects.count(), sum(map(len, SAMPLE_POLLS.values())))

    def test_second_run_makes_nothing_and_keeps_the_votes(self) -> None:
        """Polls that are there are left alone."""
        run("seed_polls")
        Choice.objects.update(votes=7)
        before = list(Choice.objects.values_list("pk", "choice_text", "votes"))
        self.assertIn("Sample polls: 0 created, 3 kept.", run("seed_polls"))
        self.assertEqual(list(Choice.objects.values_list("pk", "choice_text", "votes")), before)
        self.assertEqual(Question.objects.count(), 3)

    def test_missing_poll_is_made_beside_the_others(self) -> None:
        """Only what is missing is made."""
        create_question("What is cool about Python?", days=-9, choices=("My own",))
        output = run("seed_polls")
        self.assertIn("Kept: What is cool about Python?", output)
        self.assertIn("Created: Which cloud provider is the best? (6 choices)", output)
        self.assertEqual(Question.objects.get(question_text="What is cool about Python?").choice_set.count(), 1)


@override_settings(PASSWORD_HASHERS=FAST_HASHERS)
class EnsureAdminTests(TestCase):
    """manage.py ensure_admin."""

    credentials = {
        "DJANGO_SUPERUSER_USERNAME": "ada",
        "DJANGO_SUPERUSER_PASSWORD": "correct horse",
        "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
    }

    def test_superuser_is_made_and_can_log_in(self) -> None:
        """The named user administers the site."""
        self.assertEqual(run("ensure_admin", **self.credentials), "Created the superuser ada.\n")
        user = authenticate(HttpRequest(), username="ada", password="correct horse")
        self.assertTrue(user.is_superuser and user.is_staff)
        self.assertEqual(user.email, "ada@example.com")

    def test_second_run_keeps_the_user_and_its_sessions(self) -> None:
        """The same password is not hashed again, which would log the user out."""
        run("ensure_admin", **self.credentials)
        before = get_user_model().objects.get(username="ada").password
        self.assertEqual(run("ensure_admin", **self.credentials), "Kept the superuser ada.\n")
        self.assertEqual(get_user_model().objects.get(username="ada").password, before)

    def test_changed_password_is_updated(self) -> None:
        """The new password works, the old one does not."""
        run("ensure_admin", **self.credentials)
        output = run("ensure_admin", **self.credentials | {"DJANGO_SUPERUSER_PASSWORD": "battery staple"})
        self.assertEqual(output, "Updated the superuser ada.\n")
        self.assertIsNotNone(authenticate(HttpRequest(), username="ada", password="battery staple"))
        self.assertIsNone(authenticate(HttpRequest(), username="ada", password="correct horse"))

    def test_plain_user_of_that_name_becomes_superuser(self) -> None:
        """A user who lost the rights, or was locked, gets them."""
        get_user_model().objects.create_user("ada", password="correct horse", is_active=False)
        run("ensure_admin", **self.credentials)
        self.assertTrue(authenticate(HttpRequest(), username="ada", password="correct horse").is_superuser)

    def test_nothing_is_done_without_a_password(self) -> None:
        """A missing or empty password makes no user, and says so."""
        for environment in ({}, {"DJANGO_SUPERUSER_PASSWORD": ""}):
            with self.subTest(environment):
                output = run("ensure_admin", DJANGO_SUPERUSER_USERNAME="ada", **environment)
                self.assertEqual(output, "No superuser created: DJANGO_SUPERUSER_PASSWORD is not set.\n")
        self.assertFalse(get_user_model().objects.exists())

    def test_user_is_called_admin_by_default(self) -> None:
        """A password alone is enough."""
        self.assertEqual(run("ensure_admin", DJANGO_SUPERUSER_PASSWORD="x"), "Created the superuser admin.\n")
