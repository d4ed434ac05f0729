"""A question and its choices, as in https://docs.djangoproject.com/en/6.1/intro/tutorial02/."""

from __future__ import annotations

import datetime

from django.contrib import admin
from django.db import models
from django.db.models import Count, Sum
from django.utils import timezone


class QuestionQuerySet(models.QuerySet["Question"]):
    """Questions, with a filter for those that visitors may see."""

    def published(self) -> QuestionQuerySet:
        """Return questions with choices whose date is not in the future, latest first, with their vote_count."""
        return (
            self.annotate(choice_count=Count("choice"), vote_count=Sum("choice__votes", default=0))
            .filter(pub_date__lte=timezone.now(), choice_count__gt=0)
            .order_by("-pub_date", "-pk")
        )


class Question(models.Model):
    """A question that visitors can see from its pub_date on."""

    question_text = models.CharField("question", max_length=200)
    pub_date = models.DateTimeField("date published", default=timezone.now)

    objects = QuestionQuerySet.as_manager()

    def __str__(self) -> str:
        """Return the question's text."""
        return self.question_text

    @admin.display(boolean=True, ordering="pub_date", description="Published recently?")
    def was_published_recently(self) -> bool:
        """Return whether it was published within the last day. A question dated in the future was not."""
        now = timezone.now()
        return now - datetime.timedelta(days=1) <= self.pub_date <= now

    def results(self) -> list[Choice]:
        """Return the choices, most votes first, each with its ``share`` of the votes as a whole percentage."""
        choices = sorted(self.choice_set.all(), key=lambda choice: -choice.votes)
        total = sum(choice.votes for choice in choices)
        for choice in choices:
            choice.share = round(100 * choice.votes / total) if total else 0
        return choices


class Choice(models.Model):
    """An answer to a question, with its number of votes."""

    question = models.ForeignKey(Question, on_delete=models.CASCADE)
    choice_text = models.CharField("choice", max_length=200)
    votes = models.IntegerField(default=0)

    class Meta:
        """Keeps the order in which choices were entered, because PostgreSQL moves a row when it is updated."""

        ordering = ["pk"]

    def __str__(self) -> str:
        """Return the choice's text."""
        return self.choice_text
