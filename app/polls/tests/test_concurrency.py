"""Many votes at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection
from django.test import Client, TransactionTestCase, skipUnlessDBFeature
from django.urls import reverse

from polls.tests.factories import create_question

VOTERS = 8
VOTES_EACH = 10


@skipUnlessDBFeature("test_db_allows_multiple_connections")
class ConcurrentVoteTests(TransactionTestCase):
    """Needs a database server: SQLite in memory has one connection."""

    def test_no_vote_is_lost(self) -> None:
        """Voters who vote for one choice at the same time are all counted."""
        question = create_question("Contested", days=-1, choices=("Spam", "Eggs"))
        choice = question.choice_set.first()
        url = reverse("polls:vote", args=(question.id,))
        start = Barrier(VOTERS)

        def vote() -> list[int]:
            """Vote again and again on a connection of this thread's own; return the statuses."""
            try:
                client = Client()
                start.wait(timeout=30)
                return [client.post(url, {"choice": choice.id}).status_code for _ in range(VOTES_EACH)]
            finally:
                connection.close()

        with ThreadPoolExecutor(VOTERS) as pool:
            statuses = [status for voter in [pool.submit(vote) for _ in range(VOTERS)] for status in voter.result()]
        self.assertEqual(set(statuses), {302})
        choice.refresh_from_db()
        self.assertEqual(choice.votes, VOTERS * VOTES_EACH)
