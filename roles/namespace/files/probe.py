"""Call the database from a pod that no policy lets out: exit code 0 when the call does not get through, 1 when it does."""

import socket
import sys
import time

reached = False
for pause in (0, 1, 2):  # policies may reach the node a moment after the pod, so the last call counts
    time.sleep(pause)
    try:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
        reached = True
    except OSError:
        reached = False
sys.exit(reached)
