"""Call the app from a pod that no policy lets out: exit code 0 when the call does not get through, 1 when it does."""

import socket
import sys
import time

reached = False
for _ in range(3):  # policies may reach the node a moment after the pod, so the last call counts
    try:
        socket.create_connection((sys.argv[1], 80), timeout=3).close()
        reached = True
    except OSError:
        reached = False
    time.sleep(1)
sys.exit(reached)
