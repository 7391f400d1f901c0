"""Tests in a real browser, run by `make test-browser`: they need Playwright and Chromium, and the suite does not."""

import os

collect_ignore_glob = [] if os.environ.get("VIDEOZOOMER_BROWSER") else ["test_*.py"]
