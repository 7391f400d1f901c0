"""A file on disk becomes a probed, readable video: preflight, exact frames, shots, overview, clips.

Import what is needed from its module: `videozoomer.video.ingest`, `videozoomer.video.reader`, `videozoomer.video.overview`, `videozoomer.video.clip`, `videozoomer.video.types`.
Importing them is light; decoders are loaded by the first call that decodes.
"""
