"""Real servers take minutes to set up: `make test-servers` runs these tests, `make test` does not."""

import os
import sys
from pathlib import Path

if "VIDEOZOOMER_SERVERS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "train"))
