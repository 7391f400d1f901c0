"""`python -m train.rl`: see `train/rl/command.py`."""

from train.rl.command import main

if __name__ == "__main__":
    main()
