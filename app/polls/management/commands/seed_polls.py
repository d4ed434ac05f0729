"""``manage.py seed_polls``: create the sample polls."""

from __future__ import annotations

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from polls.models import Choice, Question

SAMPLE_POLLS = {
    "What is cool about Python?": [
        "It reads like English",
        "The standard library",
        "The packages",
        "The community",
        "Everything",
    ],
    "Which cloud provider is the best?": [
        "Digital Ocean",
        "Linode",
        "Google Cloud",
        "Amazon Web Services",
        "Microsoft Azure",
        "Other",
    ],
    "Which star wars movie was the best?": [
        "A New Hope",
        "The Empire Strikes Back",
        "Return of the Jedi",
        "The Force Awakens",
        "Rogue One",
        "Another one",
    ],
}


class Command(BaseCommand):
    """Creates missing sample polls. Existing ones, and above all their votes, are left alone."""

    help = "Creates missing sample polls and leaves existing polls alone."
    requires_migrations_checks = True

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        """Create each sample poll unless a question with its text exists, and report it."""
        now = timezone.now()
        made = 0
        for age, (question_text, choices) in enumerate(SAMPLE_POLLS.items()):
            if Question.objects.filter(question_text=question_text).exists():
                self.stdout.write(f"Kept: {question_text}")
                continue
            question = Question.objects.create(question_text=question_text, pub_date=now - timedelta(minutes=age))
            Choice.objects.bulk_create(Choice(question=question, choice_text=text) for text in choices)
            self.stdout.write(f"Created: {question_text} ({len(choices)} choices)")
            made += 1
        self.stdout.write(self.style.SUCCESS(f"Sample polls: {made} created, {len(SAMPLE_POLLS) - made} kept."))
