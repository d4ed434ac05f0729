"""The pages of the polls."""

from __future__ import annotations

from django.db import connection
from django.test import Client, TestCase
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from polls.models import Choice
from polls.tests.factories import create_question


class HomeTests(TestCase):
    """The root of the site."""

    def test_root_leads_to_the_polls(self) -> None:
        """/ redirects to the index, not for ever."""
        self.assertRedirects(self.client.get("/"), reverse("polls:index"), status_code=302)


class QuestionIndexViewTests(TestCase):
    """The list of questions; the first tests are the tutorial's."""

    def test_no_questions(self) -> None:
        """Without questions, the page says so."""
        response = self.client.get(reverse("polls:index"))
        self.assertContains(response, "No polls are available.")
        self.assertQuerySetEqual(response.context["latest_question_list"], [])

    def test_past_question(self) -> None:
        """A question of the past is shown."""
        question = create_question("Past question.", days=-30)
        response = self.client.get(reverse("polls:index"))
        self.assertQuerySetEqual(response.context["latest_question_list"], [question])
        self.assertContains(response, f'href="{reverse("polls:detail", args=(question.id,))}"')

    def test_future_question(self) -> None:
        """A question of the future is not shown yet."""
        create_question("Future question.", days=30)
        response = self.client.get(reverse("polls:index"))
        self.assertContains(response, "No polls are available.")
        self.assertQuerySetEqual(response.context["latest_question_list"], [])

    def test_future_question_and_past_question(self) -> None:
        """Of a past and a future question, only the past one is shown."""
        question = create_question("Past question.", days=-30)
        create_question("Future question.", days=30)
        response = self.client.get(reverse("polls:index"))
        self.assertQuerySetEqual(response.context["latest_question_list"], [question])

    def test_two_past_questions(self) -> None:
        """Several questions are shown, the latest first."""
        question1 = create_question("Past question 1.", days=-30)
        question2 = create_question("Past question 2.", days=-5)
        response = self.client.get(reverse("polls:index"))
        self.assertQuerySetEqual(response.context["latest_question_list"], [question2, question1])

    def test_question_without_choices(self) -> None:
        """A question that nobody could vote on is not shown."""
        create_question("Choiceless question.", days=-1, choices=())
        self.assertContains(self.client.get(reverse("polls:index")), "No polls are available.")

    def test_many_questions_take_pages(self) -> None:
        """Ten questions fill a page, the next page has the rest, one further is not found."""
        for number in range(11):
            create_question(f"Question {number}", days=-1 - number)
        first = self.client.get(reverse("polls:index"))
        self.assertEqual(len(first.context["latest_question_list"]), 10)
        self.assertContains(first, "Page 1 of 2")
        second = self.client.get(reverse("polls:index"), {"page": 2})
        self.assertEqual([q.question_text for q in second.context["latest_question_list"]], ["Question 10"])
        self.assertEqual(self.client.get(reverse("polls:index"), {"page": 3}).status_code, 404)

    def test_the_number_of_queries_does_not_grow_with_the_questions(self) -> None:
        """Counts come with the list: one query for the number of questions, one for the questions."""
        for number in range(5):
            create_question(f"Question {number}", days=-1)
        with self.assertNumQueries(2):
            self.client.get(reverse("polls:index"))

    def test_text_of_a_question_is_escaped(self) -> None:
        """Markup in a question is shown, not run."""
        create_question("<script>alert(1)</script>", days=-1)
        self.assertContains(self.client.get(reverse("polls:index")), "&lt;script&gt;alert(1)&lt;/script&gt;")


class QuestionPageTests(TestCase):
    """The pages of one question: detail and results."""

    def test_future_question_is_not_found(self) -> None:
        """A question of the future has no pages yet."""
        question = create_question("Future question.", days=5)
        for page in ("polls:detail", "polls:results"):
            with self.subTest(page):
                self.assertEqual(self.client.get(reverse(page, args=(question.id,))).status_code, 404)

    def test_past_question_is_shown_with_its_choices(self) -> None:
        """A question of the past shows its text and choices."""
        question = create_question("Past Question.", days=-5, choices=("Spam", "Eggs"))
        for page in ("polls:detail", "polls:results"):
            with self.subTest(page):
                response = self.client.get(reverse(page, args=(question.id,)))
                for text in ("Past Question.", "Spam", "Eggs"):
                    self.assertContains(response, text)

    def test_each_choice_has_a_label(self) -> None:
        """Every radio button is named by its label."""
        question = create_question("Labelled", days=-1, choices=("Spam", "Eggs"))
        response = self.client.get(reverse("polls:detail", args=(question.id,)))
        for number in (1, 2):
            self.assertContains(response, f'<label class="choice" for="choice{number}">')
            self.assertContains(response, f'id="choice{number}"')

    def test_results_show_counts_and_percentages(self) -> None:
        """Each bar says its votes and its percent."""
        question = create_question("Counted", days=-1, choices=("Spam", "Eggs"))
        question.choice_set.filter(choice_text="Spam").update(votes=3)
        question.choice_set.filter(choice_text="Eggs").update(votes=1)
        response = self.client.get(reverse("polls:results", args=(question.id,)))
        self.assertContains(response, "<b>75%</b> 3 votes", html=True)
        self.assertContains(response, "<b>25%</b> 1 vote", html=True)
        self.assertContains(response, 'value="3" max="4"')
        self.assertContains(response, "4 votes so far")

    def test_question_with_an_absurd_number_is_not_found(self) -> None:
        """Numbers beyond the database's range are no server error."""
        for number in ("0", "9" * 30, "9" * 5000):
            with self.subTest(digits=len(number)):
                self.assertEqual(self.client.get(f"/polls/{number}/").status_code, 404)


class VoteTests(TestCase):
    """Voting."""

    def setUp(self) -> None:
        """Have one question with two choices."""
        self.question = create_question("Past question.", days=-1, choices=("Spam", "Eggs"))
        self.spam, self.eggs = self.question.choice_set.all()
        self.url = reverse("polls:vote", args=(self.question.id,))

    def votes(self) -> list[int]:
        """Return the votes of both choices as the database has them."""
        return list(Choice.objects.filter(question=self.question).values_list("votes", flat=True))

    def test_vote_is_counted_and_leads_to_the_results(self) -> None:
        """A vote adds one to its choice only, and the results thank for it."""
        response = self.client.post(self.url, {"choice": self.spam.id}, follow=True)
        self.assertRedirects(response, reverse("polls:results", args=(self.question.id,)))
        self.assertContains(response, "Thank you, your vote has been counted.")
        self.assertEqual(self.votes(), [1, 0])

    def test_database_does_the_adding(self) -> None:
        """The UPDATE adds to the column, so that no vote of another process is overwritten."""
        with CaptureQueriesContext(
            connection,
        ) as queries:
            self.client.post(self.url, {"choice": self.spam.id})
        updates = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
        self.assertEqual(len(updates), 1)
        self.assertIn('"votes" = ("polls_choice"."votes" + 1)', updates[0])

    def test_wrong_choice_is_refused_with_a_message(self) -> None:
        """Without a choice of this question nothing is counted, and the form comes again with a message."""
        other = create_question("Other", days=-1).choice_set.first()
        for data in (
            {},
            {"choice": ""},
            {"choice": "spam"},
            {"choice": "9" * 30},
            {"choice": "9" * 5000},
            {"choice": "\x00"},
            {"choice": other.id},
        ):
            with self.subTest(data=str(data)[:30]):
                response = self.client.post(self.url, data)
                self.assertContains(response, "Select one of the choices, then vote.", status_code=400)
                self.assertTemplateUsed(response, "polls/detail.html")
        self.assertEqual(self.votes(), [0, 0])
        other.refresh_from_db()
        self.assertEqual(other.votes, 0)

    def test_get_does_not_vote(self) -> None:
        """Only POST votes: a link or a crawler must not."""
        self.assertEqual(self.client.get(self.url, {"choice": self.spam.id}).status_code, 405)
        self.assertEqual(self.votes(), [0, 0])

    def test_unpublished_question_cannot_be_voted_on(self) -> None:
        """A question of the future takes no votes."""
        future = create_question("Future", days=1)
        choice = future.choice_set.first()
        response = self.client.post(reverse("polls:vote", args=(future.id,)), {"choice": choice.id})
        self.assertEqual(response.status_code, 404)
        choice.refresh_from_db()
        self.assertEqual(choice.votes, 0)

    def test_vote_without_csrf_token_is_refused(self) -> None:
        """A form of another site cannot vote; the page says what happened."""
        response = Client(enforce_csrf_checks=True).post(self.url, {"choice": self.spam.id})
        self.assertContains(response, "This form has expired", status_code=403)
        self.assertEqual(self.votes(), [0, 0])

    def test_vote_with_the_csrf_token_of_the_form_is_counted(self) -> None:
        """The form that is shown can be sent."""
        client = Client(enforce_csrf_checks=True)
        form = client.get(reverse("polls:detail", args=(self.question.id,)))
        token = form.context["csrf_token"]
        client.post(self.url, {"choice": self.eggs.id, "csrfmiddlewaretoken": str(token)})
        self.assertEqual(self.votes(), [0, 1])

    def test_visitor_needs_no_session(self) -> None:
        """Voting writes no session: the servers keep no state and the table does not grow."""
        self.client.post(self.url, {"choice": self.spam.id}, follow=True)
        self.assertNotIn("sessionid", self.client.cookies)


class ErrorPageTests(TestCase):
    """What a visitor sees when there is nothing to see."""

    def test_unknown_page_is_the_site_s_own(self) -> None:
        """A wrong address gets a page with a way back."""
        response = self.client.get("/nothing")
        self.assertContains(response, "There is no such page", status_code=404)
        self.assertContains(response, reverse("polls:index"), status_code=404)

    def test_server_error_is_the_site_s_own_and_shows_no_traceback(self) -> None:
        """An error inside is a page without its inside."""
        client = Client(raise_request_exception=False)
        with (
            self.settings(ROOT_URLCONF="polls.tests.broken_urls"),
            self.assertLogs("django.request", "ERROR"),
        ):
            response = client.get("/broken")
        self.assertContains(response, "Something went wrong", status_code=500)
        self.assertNotContains(response, "the inside", status_code=500)

    def test_unknown_host_is_refused(self) -> None:
        """A Host header that is not ours gets no page."""
        with self.assertLogs("django.security.DisallowedHost", "ERROR"):
            self.assertEqual(self.client.get(reverse("polls:index"), headers={"host": "evil.example"}).status_code, 400)


class HeaderTests(TestCase):
    """Headers that protect the visitor."""

    def test_every_page_has_the_security_headers(self) -> None:
        """Framing, sniffing and foreign content are refused."""
        response = self.client.get(reverse("polls:index"))
        self.assertEqual(response["X-Frame-Options"], "DENY")
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        self.assertEqual(response["Referrer-Policy"], "same-origin")
        self.assertIn("default-src 'self'", response["Content-Security-Policy"])

    def test_pages_obey_their_own_content_security_policy(self) -> None:
        """No inline script or style, which the policy would block, and nothing from elsewhere."""
        question = create_question("Strict", days=-1)
        for url in (
            reverse("polls:index"),
            reverse("polls:detail", args=(question.id,)),
            reverse("polls:results", args=(question.id,)),
            "/nothing",
        ):
            with self.subTest(url):
                page = self.client.get(url).content.decode()
                for forbidden in ("<script", "<style", " style=", "http://", "https://"):
                    self.assertNotIn(forbidden, page)

    def test_csrf_cookie_is_out_of_reach_of_scripts(self) -> None:
        """The cookie of the form is HttpOnly and SameSite."""
        question = create_question("Cookie", days=-1)
        self.client.get(reverse("polls:detail", args=(question.id,)))
        cookie = self.client.cookies["csrftoken"]
        self.assertTrue(cookie["httponly"])
        self.assertEqual(cookie["samesite"], "Lax")
