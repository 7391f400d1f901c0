"""Skill or luck: how often a guess is right, and how many answers tell a player who knows from one who guesses.

The only definition in the project. `filters/queries/functions.sql` has the same chance and the same tail for rules, and
tests compare both sides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


def chance_of(answer_type: str, options: int, open_chance: float) -> float:
    """How often a guess is right: 1/options for a choice, a half for yes or no, `open_chance` for any other answer."""
    if answer_type == "choice" and options:
        return 1 / options
    return 0.5 if answer_type == "yes_no" else open_chance


def tail(correct: int, valid: int, chance: float) -> float:
    """P(at least `correct` of `valid` answers are right), if each is right with probability `chance`.

    The p-value of a one-sided binomial test against guessing; 1 where nothing is right or nothing was asked.
    """
    if correct <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    return min(
        1.0,
        math.fsum(math.comb(valid, k) * chance**k * (1 - chance) ** (valid - k) for k in range(correct, valid + 1)),
    )


@dataclass(frozen=True, slots=True)
class SequentialTest:
    """Wald's sequential probability ratio test: is an answer right by chance, or at `rate` and above?

    Answers are asked for until the log of the likelihood ratio leaves (`lower`, `upper`). Where that takes more than
    `max_samples`, chance stands, so that `false_positive` holds. A. Wald, Sequential Tests of Statistical Hypotheses
    (1945).
    """

    chance: float
    rate: float
    false_positive: float
    """Share of guessers that count as right, at most."""
    false_negative: float
    """Share of players right at `rate` that reach the bound of guessers, at most."""
    max_samples: int

    @property
    def decides(self) -> bool:
        """Whether any number of answers can tell both apart."""
        return 0 < self.chance < self.rate

    @property
    def upper(self) -> float:
        return math.log((1 - self.false_negative) / self.false_positive)

    @property
    def lower(self) -> float:
        return math.log(self.false_negative / (1 - self.false_positive))

    def log_ratio(self, correct: int, valid: int) -> float:
        """Log of how much likelier these answers are at `rate` than by chance."""
        rate = min(self.rate, 1 - 1e-9)
        up, down = math.log(rate / self.chance), math.log((1 - rate) / (1 - self.chance))
        return correct * up + (valid - correct) * down

    def settled(self, correct: int, valid: int) -> bool:
        """Whether a bound is reached."""
        return not self.lower < self.log_ratio(correct, valid) < self.upper

    def right(self, correct: int, valid: int) -> bool | None:
        """Whether the answers are shown to be right more than by chance; None where none was judged."""
        return self.log_ratio(correct, valid) >= self.upper if valid else None

    def needed(self, correct: int, valid: int) -> int:
        """The fewest further answers that can reach a bound: 0 if one is reached, or both cannot be told apart."""
        if not self.decides:
            return 0
        for more in range(self.max_samples + 1):
            if self.settled(correct + more, valid + more) or self.settled(correct, valid + more):
                return more
        return self.max_samples
