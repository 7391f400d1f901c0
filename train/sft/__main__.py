"""`python -m train.sft`: see `train/sft/training.py`."""

from train.sft.training import main

if __name__ == "__main__":
    main()
