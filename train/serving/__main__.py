"""`python -m train.serving CHECKPOINT`: see `train/serving/server.py`."""

import sys

from train.serving.server import main

if __name__ == "__main__":
    sys.exit(main())
