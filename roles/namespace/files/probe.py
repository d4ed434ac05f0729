"""Call the database from a pod that no policy lets out: exit code 0 when the calls do not get through, 1 when they do."""

import socket
import sys
import time

# Policies may reach the node after the pod, so calls go on for so many seconds; two in a row that do not get through are no accident.
end = time.monotonic() + float(sys.argv[3])
refused = 0
while refused < 2:
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
        refused = 0
    except OSError:
        refused += 1
        continue
    if time.monotonic() >= end:
        sys.exit(1)
    time.sleep(1)
