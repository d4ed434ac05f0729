"""Connect to each HOST:PORT that is given, and print as JSON what came of it: open, refused, or the error's name."""

import json
import socket
import sys

found = {}
for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        found[place] = "open"
    except ConnectionRefusedError:
        found[place] = "refused"
    except OSError as error:
        found[place] = type(error).__name__
print(json.dumps(found))
