"""Pages of the polls."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views import generic
from django.views.decorators.http import require_POST

from polls.models import Question, QuestionQuerySet


class PublishedMixin:
    """Shows published questions only. Any other is a 404."""

    def get_queryset(self) -> QuestionQuerySet:
        """Return the questions that visitors may see."""
        return Question.objects.published()


class IndexView(PublishedMixin, generic.ListView):
    """Lists the latest questions, ten per page."""

    template_name = "polls/index.html"
    context_object_name = "latest_question_list"
    paginate_by = 10


class DetailView(PublishedMixin, generic.DetailView):
    """Shows a question and its choices."""

    template_name = "polls/detail.html"


class ResultsView(PublishedMixin, generic.DetailView):
    """Shows the results of a question."""

    template_name = "polls/results.html"


@require_POST
def vote(request: HttpRequest, question_id: int) -> HttpResponse:
    """Count one vote for the posted ``choice`` (its id) and redirect to the results.

    The database increments the votes (F), so that two simultaneous votes both count:
    https://docs.djangoproject.com/en/6.1/ref/models/expressions/#avoiding-race-conditions-using-f
    """
    question = get_object_or_404(Question.objects.published(), pk=question_id)
    try:
        counted = question.choice_set.filter(pk=request.POST["choice"]).update(votes=F("votes") + 1)
    except (KeyError, ValueError):  # nothing selected, or not a number
        counted = 0
    if not counted:
        context = {"question": question, "error_message": "Select one of the choices, then vote."}
        return render(request, "polls/detail.html", context, status=400)
    messages.success(request, "Thank you, your vote has been counted.")
    # A redirect, so that reloading the next page does not vote again.
    return HttpResponseRedirect(reverse("polls:results", args=(question.id,)))
