"""What users bring: videos and question files become rows of tables `files` and `questions`.

Belongs here: listing videos, assigning them to ingest batches, reading question files in any of the documented
formats. Does not belong here: opening a video (`videozoomer/video/`), grading an answer (`filters/`).
"""
