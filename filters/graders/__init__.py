"""One module an answer type. Each has `compare(question, answer) -> Grade` and reads nothing but its arguments.

A grader says `wrong` only where the answer cannot mean the truth, and `unknown` where words alone cannot tell;
a judge may decide those. A hedge between several answers is wrong.
"""
