"""Decides which answers are right and which trajectories to keep: graders, rules in SQL, contamination, the funnel.

Belongs here: comparing an answer with the truth, the rules that drop a question or a trajectory and record why,
finding training items in evaluation sets. Does not belong here: calling models, writing shards.
Reference: docs/filters.md.
"""
