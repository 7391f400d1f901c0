"""Looking at single episodes: the trajectory browser (one offline HTML page) and the same for a terminal.

Belongs here: showing what tables hold. Does not belong here: figures over many episodes (`eval/report`), grading.
"""
