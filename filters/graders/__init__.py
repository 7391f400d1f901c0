"""What an answer says, and whether that is right: one module per answer type, each with
`compare(question, answer) -> Grade`, which reads nothing but its arguments.

`correct` if the answer commits to the right one. `wrong` only if it clearly commits to something else: another answer,
a list of several, or that it gives none. Everything else is `unknown`, and a judge may decide it: a denial, a bound, a
correction, words that no list knows. Filters, RL and evaluation all use these modules, through `filters.grading`.

| module | what it does |
| --- | --- |
| `dress` | takes off what an answer is wrapped in: Unicode, tags, JSON, LaTeX, Markdown |
| `statement` | finds the conclusion: after the last marker, without leads |
| `phrases` | the phrases of many languages, one a line |
| `quantity`, `number_words`, `units` | numbers in a text, with their units |
| `choice`, `number`, `timestamp`, `yes_no`, `order`, `text` | decide, one answer type each |
"""
