"""Finds copies of films by their signatures: candidates from an index, then a comparison of the two in full."""
