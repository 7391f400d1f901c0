"""Measures players: the evaluation harness, metrics with intervals, benchmark readers, plots, report and viewer.

Belongs here: playing evaluation episodes for any player, metrics over graded episodes, the HTML report, the trajectory
browser. Does not belong here: the episode itself (`videozoomer/protocol/`), graders (`filters/`), training.
"""
