"""Data sets for SFT, RL and evaluation: each a folder with manifest, checksums and a card.

Belongs here: row schemas, the writer, the reader, the card, exports, and how rows are selected from the lake.
Does not belong here: deciding what is kept (`filters/`), training (`train/`).
"""
