"""`python -m train.sft`: see `train/sft/command.py`."""

from train.sft.command import main

if __name__ == "__main__":
    main()
