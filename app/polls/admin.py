"""The polls in Django's admin, as in https://docs.djangoproject.com/en/6.1/intro/tutorial07/."""

from __future__ import annotations

from django.contrib import admin

from polls.models import Choice, Question

admin.site.site_header = "Polls administration"
admin.site.site_title = "Polls administration"
admin.site.index_title = "Questions and users"


class ChoiceInline(admin.TabularInline):
    """Choices on the page of their question. Votes cannot be edited."""

    model = Choice
    extra = 3
    readonly_fields = ["votes"]


@admin.register(Question)
class QuestionAdmin(admin.ModelAdmin):
    """Questions with their choices."""

    fieldsets = [
        (None, {"fields": ["question_text"]}),
        ("Date information", {"fields": ["pub_date"]}),
    ]
    inlines = [ChoiceInline]
    list_display = ["question_text", "pub_date", "was_published_recently"]
    list_filter = ["pub_date"]
    search_fields = ["question_text"]
    date_hierarchy = "pub_date"
    ordering = ["-pub_date"]
