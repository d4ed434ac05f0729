"""The endpoints for Kubernetes' probes.

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
    """Remembers that all migrations are applied, for the lifetime of the process: a database does not lose one."""

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
    """Answer 200 while the process serves requests. The database is not checked, because a restart would not fix it."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if the database answers and is migrated, otherwise 503 with the reason.

    The response is public, so the database's own message, which contains its address and user, goes only to the log.
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
    """Return the 503 that removes the pod from its Service."""
    return JsonResponse({"status": "unavailable", "reason": reason}, status=503)


PROBES = {"/livez": livez, "/readyz": readyz}


class ProbesMiddleware:
    """Answers the probes before anything checks the Host header.

    A load balancer requests a pod by its address, which is never in ALLOWED_HOSTS. The responses contain nothing from the request, so a forged
    Host header gains nothing. All other paths are still checked by Django.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Store the next handler."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass the request on."""
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)
