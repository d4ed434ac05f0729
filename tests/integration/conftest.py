"""No run of these tests waits for what Berth does on this machine meanwhile, or keeps it waiting."""

from __future__ import annotations

import os

os.environ["BERTH_RUN"] = "test"
