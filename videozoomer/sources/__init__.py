"""What users bring: places with videos, and files with questions, become rows of `files` and `questions`.

Belongs here: listing videos, assigning them to ingest batches, reading question files in any of the documented
formats. Does not belong here: opening a video (that is `video/`), judging an answer (that is `filters/`).
"""
