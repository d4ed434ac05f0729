"""``manage.py ensure_admin``: create or update the superuser from the environment."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from mysite import env


class Command(BaseCommand):
    """Creates or updates the superuser from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL."""

    help = "Creates or updates the superuser from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL."
    requires_migrations_checks = True

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        """Make the superuser match the environment. A second run changes nothing."""
        password = env.text("DJANGO_SUPERUSER_PASSWORD", "")
        if not password:
            self.stdout.write("No superuser created: DJANGO_SUPERUSER_PASSWORD is not set.")
            return
        user_model = get_user_model()
        username = env.text("DJANGO_SUPERUSER_USERNAME", "admin")
        user = user_model.objects.filter(username=username).first()
        verb = "Updated" if user else "Created"
        user = user or user_model(username=username)
        wanted = {"is_staff": True, "is_superuser": True, "is_active": True}
        if email := env.text("DJANGO_SUPERUSER_EMAIL", ""):
            wanted["email"] = user_model.objects.normalize_email(email)
        changed = {name for name, value in wanted.items() if getattr(user, name) != value}
        for name in changed:
            setattr(user, name, wanted[name])
        # A correct password is not set again, because a new hash would log the user out everywhere.
        if not user.has_usable_password() or not user.check_password(password):
            user.set_password(password)
            changed.add("password")
        if changed:
            user.save()
        self.stdout.write(self.style.SUCCESS(f"{verb if changed else 'Kept'} the superuser {username}."))
