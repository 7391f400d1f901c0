"""How good is a player: the harness that plays it, metrics with intervals, benchmark readers, plots and the report.

Belongs here: playing evaluation episodes for any player, figures over graded episodes, the HTML report.
Does not belong here: the episode itself (`zoom/`), graders (`filters/`), training.
"""
