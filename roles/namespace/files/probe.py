"""Connect to the database from a pod that no policy allows to: exit code 0 if the connections are blocked, 1 if they succeed."""

import socket
import sys
import time

# Policies may reach the node after the pod, so the probe keeps trying for this many seconds. Two blocked connections in a row are no accident.
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
