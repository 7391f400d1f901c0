"""Shows single episodes: the trajectory browser (one offline HTML page) and a renderer for the terminal.

Belongs here: showing the contents of tables. Does not belong here: metrics over many episodes (`eval/report`), grading.
"""
