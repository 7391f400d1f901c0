"""What leaves the house: SFT, RL and evaluation data sets, each a folder with manifest, checksums and a card.

Belongs here: row schemas, the writer, the reader, the card, and how rows are drawn from the lake.
Does not belong here: what is worth keeping (filters/), training (train/).
"""
