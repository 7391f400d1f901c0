"""What people decided about trajectories, questions and leaks: rows of table `reviews`, appended and never changed.

Belongs here: a decision and whether it is valid, appending, what applies now, import and export. Does not belong here:
what a rule does about it, pages.
"""

from videozoomer.reviews.current import applying, current, pair_decisions
from videozoomer.reviews.journal import Journal
from videozoomer.reviews.review import Review, ReviewError

__all__ = ["Journal", "Review", "ReviewError", "applying", "current", "pair_decisions"]
