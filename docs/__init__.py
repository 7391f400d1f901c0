"""The documentation: Markdown pages, and `docs.generate`, which writes the reference pages from the code."""
