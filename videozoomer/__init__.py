"""The library beside the six stages: settings, lake, sources, video, protocol, shards.

Belongs here: what several stages use and none of them owns. Does not belong here: a stage of the pipeline (those are
`distill`, `filters`, `train`, `eval`, `assets`, `pipelines`), or anything only the examples need.
"""
