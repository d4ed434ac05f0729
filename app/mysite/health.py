"""What the probes of Kubernetes ask.

See https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)


class Migrations:
    """Remembers for this process that every migration is applied: a database does not lose one."""

    applied = False

    @classmethod
    def pending(cls) -> list[str]:
        """Return the names of unapplied migrations, such as ``polls.0001_initial``.

        Raises:
            DatabaseError: the database does not answer.
            InconsistentMigrationHistory: a migration is applied before one that it depends on.
        """
        if cls.applied:
            return []
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        cls.applied = not plan
        return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@require_safe
@never_cache
def livez(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process serves requests; the database is not asked, a restart would not mend it."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers and is migrated, else 503 with the reason.

    The answer is public, so the database's own words, with its address and user, go to the log only.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        pending = Migrations.pending()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("Not ready: the database does not answer: %s", " ".join(str(error).split()))
        return unavailable("the database does not answer")
    except InconsistentMigrationHistory as error:
        logger.warning("Not ready: %s", error)
        return unavailable("the history of migrations is inconsistent")
    if pending:
        logger.warning("Not ready: unapplied migrations: %s", ", ".join(pending))
        return unavailable(f"{len(pending)} unapplied migration(s)")
    return JsonResponse({"status": "ok"})


def unavailable(reason: str) -> JsonResponse:
    """Return the 503 that takes the pod out of its Service."""
    return JsonResponse({"status": "unavailable", "reason": reason}, status=503)


PROBES = {"/livez": livez, "/readyz": readyz}


class ProbesMiddleware:
    """Answers the probes before anything looks at the Host header.

    A load balancer asks a pod by its address, which is in nobody's ALLOWED_HOSTS. The answers hold nothing of the request, so a forged
    Host header gains nothing; every other path goes on to Django's check.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Remember who answers everything else."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass the request on."""
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)
