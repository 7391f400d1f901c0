"""`python -m train.rl`: see `train/rl/training.py`."""

from train.rl.training import main

if __name__ == "__main__":
    main()
