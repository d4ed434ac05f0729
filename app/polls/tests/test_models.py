"""Questions and their results."""

from __future__ import annotations

import datetime

from django.db.models import F
from django.test import TestCase
from django.utils import timezone

from polls.models import Question
from polls.tests.factories import create_question


class QuestionModelTests(TestCase):
    """The tutorial's tests of was_published_recently(): https://docs.djangoproject.com/en/6.1/intro/tutorial05/."""

    def test_was_published_recently_with_future_question(self) -> None:
        """A question whose pub_date is in the future was not published recently."""
        question = Question(pub_date=timezone.now() + datetime.timedelta(days=30))
        self.assertIs(question.was_published_recently(), False)

    def test_was_published_recently_with_old_question(self) -> None:
        """A question older than one day was not published recently."""
        question = Question(pub_date=timezone.now() - datetime.timedelta(days=1, seconds=1))
        self.assertIs(question.was_published_recently(), False)

    def test_was_published_recently_with_recent_question(self) -> None:
        """A question within the last day was published recently."""
        question = Question(pub_date=timezone.now() - datetime.timedelta(hours=23, minutes=59, seconds=59))
        self.assertIs(question.was_published_recently(), True)


class PublishedTests(TestCase):
    """Which questions visitors see."""

    def test_only_past_questions_with_choices_are_published(self) -> None:
        """A future question and one without choices are left out, the latest comes first."""
        old = create_question("Old", days=-5)
        new = create_question("New", days=-1)
        create_question("Future", days=1)
        create_question("Choiceless", days=-1, choices=())
        self.assertQuerySetEqual(Question.objects.published(), [new, old])

    def test_choices_and_votes_are_counted_together(self) -> None:
        """One query brings both counts, and neither multiplies the other."""
        question = create_question("Counted", days=-1, choices=("a", "b", "c"))
        question.choice_set.update(votes=4)
        with self.assertNumQueries(1):
            found = Question.objects.published().get()
        self.assertEqual((found.choice_count, found.vote_count), (3, 12))


class ResultsTests(TestCase):
    """Shares of the votes."""

    def test_results_are_sorted_and_have_shares(self) -> None:
        """The most voted choice comes first, with its whole percent."""
        question = create_question("Shares", days=-1, choices=("few", "many"))
        question.choice_set.filter(choice_text="few").update(votes=1)
        question.choice_set.filter(choice_text="many").update(votes=2)
        results = [(choice.choice_text, choice.votes, choice.share) for choice in question.results()]
        self.assertEqual(results, [("many", 2, 67), ("few", 1, 33)])

    def test_results_without_votes_are_zero(self) -> None:
        """No vote means no percent, not a division by zero."""
        question = create_question("Untouched", days=-1)
        self.assertEqual([choice.share for choice in question.results()], [0, 0])

    def test_choices_keep_their_order_after_votes(self) -> None:
        """PostgreSQL moves an updated row to the end; the form must not shuffle."""
        question = create_question("Order", days=-1, choices=("a", "b", "c"))
        question.choice_set.filter(choice_text="a").update(votes=F("votes") + 1)
        self.assertEqual([choice.choice_text for choice in question.choice_set.all()], ["a", "b", "c"])
