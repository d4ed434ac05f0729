"""The polls in the admin."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings
from django.urls import reverse

from polls.models import Choice, Question
from polls.tests.factories import FAST_HASHERS, create_question


@override_settings(PASSWORD_HASHERS=FAST_HASHERS)
class AdminTests(TestCase):
    """As a logged-in superuser."""

    def setUp(self) -> None:
        """Log in."""
        self.client.force_login(get_user_model().objects.create_superuser("ada", password="x"))

    def form(self, question: Question | None = None, **fields: str) -> dict[str, str]:
        """Return the form of a question with the inline choices that it has, and no new one."""
        choices = list(question.choice_set.all()) if question else []
        data = {
            "question_text": question.question_text if question else "Spam?",
            "pub_date_0": "2024-01-01",
            "pub_date_1": "12:00:00",
            "choice_set-TOTAL_FORMS": str(len(choices)),
            "choice_set-INITIAL_FORMS": str(len(choices)),
        }
        for number, choice in enumerate(choices):
            data |= {
                f"choice_set-{number}-id": str(choice.id),
                f"choice_set-{number}-question": str(question.id),
                f"choice_set-{number}-choice_text": choice.choice_text,
            }
        return data | fields

    def test_question_is_added_with_its_choices(self) -> None:
        """One form makes a question and its choices."""
        fields = {
            "choice_set-TOTAL_FORMS": "2",
            "choice_set-0-choice_text": "Yes",
            "choice_set-1-choice_text": "No",
        }
        response = self.client.post(reverse("admin:polls_question_add"), self.form(**fields))
        self.assertRedirects(response, reverse("admin:polls_question_changelist"))
        self.assertEqual([str(choice) for choice in Question.objects.get().choice_set.all()], ["Yes", "No"])

    def test_votes_cannot_be_edited(self) -> None:
        """A form that was open for an hour must not overwrite the votes of that hour."""
        question = create_question("Edited", days=-1, choices=("Spam",))
        form = self.form(question, **{"choice_set-0-choice_text": "Eggs", "choice_set-0-votes": "99"})
        Choice.objects.update(votes=5)
        self.client.post(reverse("admin:polls_question_change", args=(question.id,)), form)
        self.assertEqual(list(Choice.objects.values_list("choice_text", "votes")), [("Eggs", 5)])

    def test_list_shows_the_columns_and_searches(self) -> None:
        """Text, date and recency are columns; the search finds by text."""
        create_question("About spam", days=-0.5)
        create_question("About eggs", days=-0.5)
        response = self.client.get(reverse("admin:polls_question_changelist"), {"q": "spam"})
        self.assertContains(response, "About spam")
        self.assertNotContains(response, "About eggs")
        for heading in ("Date published", "Published recently?"):
            self.assertContains(response, heading)

    def test_list_filters_by_date(self) -> None:
        """The sidebar offers the dates."""
        create_question("Today's", days=0)
        response = self.client.get(reverse("admin:polls_question_changelist"))
        self.assertContains(response, "By date published")

    def test_visitor_has_to_log_in(self) -> None:
        """The admin is closed to visitors."""
        self.client.logout()
        url = reverse("admin:polls_question_changelist")
        response = self.client.get(url, follow=True)
        self.assertRedirects(response, f"{reverse('admin:login')}?next={url}")
        self.assertContains(response, "Polls administration")
        self.assertContains(response, "polls/favicon.svg")
