"""Guesses of passwords: how many are allowed, and who is taken for whom."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import RequestFactory, SimpleTestCase, TestCase, override_settings
from django.urls import reverse
from django.utils import timezone
from mysite import visitors

from polls.tests.factories import FAST_HASHERS

LIMIT = settings.AXES_FAILURE_LIMIT


@override_settings(PASSWORD_HASHERS=FAST_HASHERS)
class GuessTests(TestCase):
    """At the admin's form, where ada's password is "right"."""

    def setUp(self) -> None:
        """Make ada."""
        get_user_model().objects.create_superuser("ada", password="right")

    def log_in(self, password: str, *, user: str = "ada", address: str = "198.51.100.7", **headers: str) -> HttpResponse:
        """Send the form."""
        form = {"username": user, "password": password}
        return self.client.post(reverse("admin:login"), form, REMOTE_ADDR=address, headers=headers)

    def guess(self, times: int, **how: str) -> list[int]:
        """Send the form with wrong passwords; return the statuses."""
        return [self.log_in(f"wrong {number}", **how).status_code for number in range(times)]

    def age(self, **by: float) -> None:
        """Make the failures that are known older."""
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(**by))

    def test_the_right_password_opens_nothing_after_too_many_wrong_ones(self) -> None:
        """Neither the answer nor a session tells that it was right."""
        self.assertEqual(self.guess(LIMIT), [200] * (LIMIT - 1) + [429])
        answer = self.log_in("right")
        self.assertContains(answer, "Wait 15 minutes, then try again", status_code=429)
        self.assertEqual(answer["Retry-After"], "900")
        self.assertNotIn("_auth_user_id", self.client.session)

    def test_the_answer_is_the_same_for_a_user_who_does_not_exist(self) -> None:
        """So nobody learns who does."""
        self.assertEqual(self.guess(LIMIT + 1, user="eve"), self.guess(LIMIT + 1))

    def test_the_lock_ends_by_itself_and_goes_on_guessing_does_not_prolong_it(self) -> None:
        """The owner of the account is not kept out for as long as somebody guesses."""
        self.guess(LIMIT)
        self.age(minutes=14)
        self.assertEqual(self.guess(2), [429, 429])
        self.age(minutes=16)
        self.assertEqual(self.log_in("right").status_code, 302)

    def test_failures_that_no_longer_count_are_removed(self) -> None:
        """Nothing piles up in the database, whoever they were of."""
        self.guess(LIMIT, user="eve")
        self.age(minutes=16)
        self.log_in("right")
        self.assertEqual(AccessAttempt.objects.count(), 0)

    def test_a_success_forgives_the_failures_before_it(self) -> None:
        """Who mistypes now and then is not locked out in the end."""
        for _ in range(3):
            self.guess(LIMIT - 1)
            self.assertEqual(self.log_in("right").status_code, 302)

    def test_nobody_is_locked_out_by_guesses_at_another_account(self) -> None:
        """As where everybody comes from the address of a node."""
        self.guess(LIMIT, user="eve")
        self.assertEqual(self.log_in("right").status_code, 302)

    def test_nobody_is_locked_out_by_guesses_from_elsewhere(self) -> None:
        """A stranger cannot keep an administrator out."""
        self.guess(LIMIT, address="203.0.113.9")
        self.assertEqual(self.log_in("right").status_code, 302)

    def test_a_made_up_address_or_program_gives_no_further_guesses(self) -> None:
        """Without and with a proxy, whatever is sent to it."""
        for proxies in (0, 1):
            AccessAttempt.objects.all().delete()
            with self.subTest(proxies), self.settings(PROXIES=proxies):
                tail = ", 198.51.100.7" if proxies else ""
                statuses = [
                    self.log_in(
                        "wrong",
                        x_forwarded_for=f"192.0.2.{number}{tail}",
                        x_real_ip=f"192.0.2.{number}",
                        forwarded=f"for=192.0.2.{number}",
                        user_agent=f"Mozilla/{number}",
                    ).status_code
                    for number in range(LIMIT + 3)
                ]
                self.assertEqual(statuses, [200] * (LIMIT - 1) + [429] * 4)

    def test_failures_are_counted_in_the_database(self) -> None:
        """Each process of each pod sees what the others have counted."""
        self.guess(LIMIT)
        self.assertEqual(AccessAttempt.objects.get().failures_since_start, LIMIT)
        self.assertEqual(settings.AXES_HANDLER, "axes.handlers.database.AxesDatabaseHandler")

    def test_the_log_names_the_address_and_neither_user_nor_password(self) -> None:
        """Who reads it wants to know whom to keep out."""
        with self.assertLogs("axes", "WARNING") as seen:
            self.log_in("correct horse")
        self.assertIn("198.51.100.7", seen.output[0])
        self.assertNotRegex(seen.output[0], "ada|correct horse")

    def test_no_password_is_kept(self) -> None:
        """Not even a wrong one, which is often right elsewhere."""
        self.log_in("correct horse")
        kept = " ".join(map(str, AccessAttempt.objects.values_list().get()))
        self.assertNotRegex(kept, "correct horse|csrf")


class AdminNetworksTests(TestCase):
    """Where the admin may be used from."""

    def status(self, path: str, forwarded: str) -> int:
        """Return the answer to a visitor who comes through the load balancer."""
        return self.client.get(path, headers={"x-forwarded-for": forwarded}).status_code

    def test_the_admin_is_refused_from_elsewhere_however_its_path_is_written(self) -> None:
        """The site itself is open to all."""
        networks = [ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")]
        with self.settings(PROXIES=1, ADMIN_NETWORKS=networks):
            for path in (reverse("admin:login"), reverse("admin:index"), "/%61dmin/login/", "/admin/x"):
                for forwarded in ("198.51.100.7", "203.0.113.9, 198.51.100.7", "2001:db9::1", "nobody"):
                    with self.subTest(path=path, forwarded=forwarded):
                        self.assertEqual(self.status(path, forwarded), 403)
            for forwarded in ("203.0.113.9", "1.1.1.1, 203.0.113.9", "2001:db8:7::1", "::ffff:203.0.113.9"):
                with self.subTest(forwarded=forwarded):
                    self.assertEqual(self.status(reverse("admin:login"), forwarded), 200)
            self.assertEqual(self.status(reverse("polls:index"), "198.51.100.7"), 200)

    def test_the_admin_is_open_to_all_where_no_network_is_named(self) -> None:
        """As on a laptop."""
        self.assertEqual(self.status(reverse("admin:login"), "198.51.100.7"), 200)


class AddressTests(SimpleTestCase):
    """Who is taken for whom."""

    def test_only_what_our_own_proxies_wrote_is_believed(self) -> None:
        """The number of proxies, X-Forwarded-For, REMOTE_ADDR, and the address."""
        cases = (
            (0, None, "192.0.2.1", "192.0.2.1"),
            (0, "203.0.113.9", "192.0.2.1", "192.0.2.1"),
            (1, "203.0.113.9", "192.0.2.1", "203.0.113.9"),
            (1, "1.1.1.1, 203.0.113.9", "192.0.2.1", "203.0.113.9"),
            (2, "1.1.1.1, 203.0.113.9,10.0.0.1", "192.0.2.1", "203.0.113.9"),
            (2, "10.0.0.1", "192.0.2.1", "192.0.2.1"),
            (1, None, "192.0.2.1", "192.0.2.1"),
            (1, "", "192.0.2.1", "192.0.2.1"),
            (1, "1.1.1.1, unknown", "192.0.2.1", "192.0.2.1"),
            (1, "1.1.1.1, 203.0.113.9 ", "192.0.2.1", "203.0.113.9"),
            (0, None, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            (1, "2001:db8:1:2:ffff::", "192.0.2.1", "2001:db8:1:2::"),
            (0, None, "::ffff:192.0.2.1", "192.0.2.1"),
            (0, None, "", None),
        )
        for proxies, forwarded, remote, expected in cases:
            headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
            request = RequestFactory().get("/", REMOTE_ADDR=remote, headers=headers)
            with self.subTest(proxies=proxies, forwarded=forwarded), self.settings(PROXIES=proxies):
                self.assertEqual(visitors.counted_as(request), expected)
