"""What the tests are made of."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.utils import timezone

from polls.models import Question

# https://docs.djangoproject.com/en/6.1/topics/testing/overview/#password-hashing
FAST_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def create_question(question_text: str, days: float, choices: Sequence[str] = ("Yes", "No")) -> Question:
    """Create a question published ``days`` from now (negative: in the past) with the given choices."""
    time = timezone.now() + datetime.timedelta(days=days)
    question = Question.objects.create(question_text=question_text, pub_date=time)
    for text in choices:
        question.choice_set.create(choice_text=text)
    return question
