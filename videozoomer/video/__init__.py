"""Turns a file on disk into a readable video: preflight, frames at exact times, shots, overview, clips.

Import from the modules: `ingest` (many files), `reader` (frames at times), `overview` (when to look), `clip` (for
people), `types`. Importing them is light; the first call that decodes loads the decoders.
"""
