"""Print the database's migrations that this release does not have, and how to undo them, as a line of JSON. Run in Django's shell."""

import json
import time

from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

# The rules that let a new pod reach the database may arrive at the database's node after the pod's first connection.
end = time.monotonic() + 20
while True:
    try:
        connection.ensure_connection()
        break
    except OperationalError:
        if time.monotonic() > end:
            raise
        time.sleep(0.5)
known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
# A squashed migration represents those that it replaces, which need not exist any more.
replaced = {name for migration in known.values() for name in migration.replaces}
applied = list(MigrationRecorder(connection).applied_migrations())  # in the order in which they were applied
unknown = [name for name in applied if name not in known and name not in replaced]
last = {app: name for app, name in applied if (app, name) in known}
undo = [f"migrate {app} {last.get(app, 'zero')}" for app in dict.fromkeys(app for app, _ in reversed(unknown))]
print("unknown-migrations " + json.dumps({"unknown": [".".join(name) for name in unknown], "undo": undo}))
