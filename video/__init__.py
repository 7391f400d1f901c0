"""A file on disk becomes a probed, readable video: preflight, exact frames, shots, overview, clips.

Import what is needed from its module: `video.ingest`, `video.reader`, `video.overview`, `video.clip`, `video.types`.
Importing them is light; decoders are loaded by the first call that decodes.
"""
