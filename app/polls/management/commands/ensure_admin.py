"""``manage.py ensure_admin``: the superuser that the environment names."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from mysite import env


class Command(BaseCommand):
    """Makes or updates the superuser of DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL."""

    help = "Makes or updates the superuser named by DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL."
    requires_migrations_checks = True

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        """Bring the superuser to what the environment says; a second run finds nothing to do."""
        password = env.text("DJANGO_SUPERUSER_PASSWORD", "")
        if not password:
            self.stdout.write("No superuser made: DJANGO_SUPERUSER_PASSWORD is not set.")
            return
        user_model = get_user_model()
        username = env.text("DJANGO_SUPERUSER_USERNAME", "admin")
        user = user_model.objects.filter(username=username).first()
        verb = "Updated" if user else "Made"
        user = user or user_model(username=username)
        wanted = {"is_staff": True, "is_superuser": True, "is_active": True}
        if email := env.text("DJANGO_SUPERUSER_EMAIL", ""):
            wanted["email"] = user_model.objects.normalize_email(email)
        changed = {name for name, value in wanted.items() if getattr(user, name) != value}
        for name in changed:
            setattr(user, name, wanted[name])
        # A password that is right is not set again: a new hash would log the user out everywhere.
        if not user.has_usable_password() or not user.check_password(password):
            user.set_password(password)
            changed.add("password")
        if changed:
            user.save()
        self.stdout.write(self.style.SUCCESS(f"{verb if changed else 'Kept'} the superuser {username}."))
