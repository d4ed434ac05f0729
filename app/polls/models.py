"""A question and its choices, as in https://docs.djangoproject.com/en/6.1/intro/tutorial02/."""

from __future__ import annotations

import datetime

from django.contrib import admin
from django.db import models
from django.db.models import Count, Sum
from django.utils import timezone


class QuestionQuerySet(models.QuerySet["Question"]):
    """Questions, and which of them visitors may see."""

    def published(self) -> QuestionQuerySet:
        """Return those whose date has come and that have choices, latest first, with their vote_count."""
        return (
            self.annotate(choice_count=Count("choice"), vote_count=Sum("choice__votes", default=0))
            .filter(pub_date__lte=timezone.now(), choice_count__gt=0)
            .order_by("-pub_date", "-pk")
        )


class Question(models.Model):
    """A question that is put to the visitors from its pub_date on."""

    question_text = models.CharField("question", max_length=200)
    pub_date = models.DateTimeField("date published", default=timezone.now)

    objects = QuestionQuerySet.as_manager()

    def __str__(self) -> str:
        """Return the question's text."""
        return self.question_text

    @admin.display(boolean=True, ordering="pub_date", description="Published recently?")
    def was_published_recently(self) -> bool:
        """Return whether it was published within the last day; a question of the future was not."""
        now = timezone.now()
        return now - datetime.timedelta(days=1) <= self.pub_date <= now

    def results(self) -> list[Choice]:
        """Return the choices, the most voted first, each with its ``share`` of the votes in whole percent."""
        choices = sorted(self.choice_set.all(), key=lambda choice: -choice.votes)
        total = sum(choice.votes for choice in choices)
        for choice in choices:
            choice.share = round(100 * choice.votes / total) if total else 0
        return choices


class Choice(models.Model):
    """One answer to a question, and how many voted for it."""

    question = models.ForeignKey(Question, on_delete=models.CASCADE)
    choice_text = models.CharField("choice", max_length=200)
    votes = models.IntegerField(default=0)

    class Meta:
        """Keeps the order of entry: PostgreSQL moves a row when it is updated."""

        ordering = ["pk"]

    def __str__(self) -> str:
        """Return the choice's text."""
        return self.choice_text
