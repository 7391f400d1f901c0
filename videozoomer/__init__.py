"""The library that the six stages share: settings, lake, sources, video, protocol and shards.

Belongs here: what several stages use. Does not belong here: a stage of the pipeline (`distill`, `filters`, `train`,
`eval`, `assets`, `pipelines`), or what only the examples need.
"""
