"""The pages of a released site, as people see and use them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pictures
import pytest
from browser_objects import Superuser
from playwright.sync_api import Page, expect

Size = tuple[int, int]
POLLS = ["What is cool about Python?", "Which cloud provider is the best?", "Which star wars movie was the best?"]


def fits(page: Page) -> None:
    """Fail when a page is wider than its screen."""
    wide, screen = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide <= screen, f"{page.url} is {wide} pixels wide on a screen of {screen}"


def counted(page: Page) -> int:
    """Return the number of votes that a results page shows."""
    match = re.search(r"(\d+) votes? so far", page.inner_text("main"))
    assert match, page.inner_text("main")
    return int(match[1])


def test_the_address_of_the_site_leads_to_its_polls(open_page: Callable[..., Page], site: str, screen: Size) -> None:
    """With its style sheet, and no wider than the screen."""
    page = open_page(screen)
    page.goto(site)
    expect(page).to_have_url(f"{site}polls/")
    for poll in POLLS:
        expect(page.get_by_role("link", name=poll)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.cards')).listStyleType") == "none"
    fits(page)


def test_a_vote_is_counted_and_thanked_for(open_page: Callable[..., Page], site: str, screen: Size) -> None:
    """From the index to the results, all by pointing."""
    page = open_page(screen)
    page.goto(site)
    page.get_by_role("link", name=POLLS[0]).click()
    fits(page)
    page.get_by_role("link", name="See the results").click()
    before = counted(page)
    page.get_by_role("link", name="Vote again?").click()
    page.get_by_label("The community").check()
    page.get_by_role("button", name="Vote").click()
    expect(page.get_by_role("status")).to_have_text("Thank you, your vote has been counted.")
    assert counted(page) == before + 1
    fits(page)


def test_a_vote_for_nothing_stays_in_the_form(open_page: Callable[..., Page], site: str) -> None:
    """The browser itself asks for a choice."""
    page = open_page()
    page.goto(site)
    page.get_by_role("link", name=POLLS[1]).click()
    address = page.url
    page.get_by_role("button", name="Vote").click()
    expect(page).to_have_url(address)
    assert page.locator("input:invalid").count() > 0


def test_a_question_with_its_choices_is_made_in_the_admin_found_and_voted_on(
    open_page: Callable[..., Page], site: str, superuser: Superuser, screen: Size
) -> None:
    """And deleted again."""
    page = open_page(screen)
    question = f"Does this work ({secrets.token_hex(4)})?"
    page.goto(f"{site}admin/")
    page.get_by_label("Username").fill(superuser.name)
    page.get_by_label("Password").fill(superuser.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Questions and users")).to_be_visible()

    page.goto(f"{site}admin/polls/question/add/")
    page.get_by_label("Question:").fill(question)
    for number, choice in enumerate(("Yes", "No")):
        page.locator(f"#id_choice_set-{number}-choice_text").fill(choice)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text(question)

    page.goto(f"{site}admin/polls/question/")
    page.locator("#searchbar").fill(question)
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text(question)
    edit = page.get_by_role("link", name=question).get_attribute("href")

    page.goto(site)
    page.get_by_role("link", name=question).click()
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Vote").click()
    assert counted(page) == 1

    page.goto(site.rstrip("/") + str(edit).split("change/")[0] + "delete/")
    page.get_by_role("button", name="Yes, I’m sure").click()
    expect(page.locator(".messagelist .success")).to_contain_text("was deleted successfully")


def test_a_wrong_password_opens_no_admin(open_page: Callable[..., Page], site: str, superuser: Superuser) -> None:
    """And says so."""
    page = open_page()
    page.goto(f"{site}admin/")
    page.get_by_label("Username").fill(superuser.name)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".errornote")).to_contain_text("Please enter the correct username and password")


def test_the_pictures_of_the_pages_show_what_visitors_see(open_page: Callable[..., Page], site: str) -> None:
    """Those of docs/pictures, on a phone."""
    page = open_page((390, 400))
    page.goto(site)
    pictures.keep("polls", pictures.of_page(page))
    page.get_by_role("link", name=POLLS[0]).click()
    page.get_by_label("The community").check()
    pictures.keep("question", pictures.of_page(page))


@pytest.mark.parametrize("path", ["polls/0/", "there-is-no-such-page/"])
def test_a_page_that_does_not_exist_leads_back_to_the_polls(open_page: Callable[..., Page], site: str, path: str) -> None:
    """With the status that programs need."""
    page = open_page()
    answer = page.request.get(f"{site}{path}")
    assert answer.status == 404
    page.set_content(answer.text())
    expect(page.get_by_role("link", name="See all polls")).to_be_visible()
