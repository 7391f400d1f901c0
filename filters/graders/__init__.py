"""One module per answer type. Each has `compare(question, answer) -> Grade` and reads nothing but its arguments.

A grader returns `wrong` only if the answer cannot mean the truth and `unknown` if words alone cannot decide; a judge
may decide those. An answer that hedges between several answers is wrong.
"""
