"""Writes the reference pages from the code, so that they cannot disagree with it.

One module a page, each with a function that returns the page's whole text. `pages.py` lists them, `__main__.py` writes
or checks them. What a person writes belongs in the other pages of `docs/`.
"""
