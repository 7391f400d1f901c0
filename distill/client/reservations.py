"""Reserving money for the calls of one event loop: a call waits while others may still free what it needs."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from distill.client.costs import Bound
from distill.client.errors import BudgetSpent
from distill.storage.budget import Budget
from distill.storage.ledger import Ledger


class Reservations:
    """The budget as a call sees it. To be created on the event loop; without a budget, everything is allowed."""

    def __init__(self, budget: Budget | None, ledger: Ledger, threads: Executor) -> None:
        self._budget, self._ledger, self._threads = budget, ledger, threads
        self._held = 0
        self._settled = asyncio.Event()

    async def reserve(self, key: str, attempt: int, bound: Bound) -> None:
        """Wait until the budget has room for the most that a call can cost.

        Raises:
            BudgetSpent: it has none, and no running call could free any.
        """
        if self._budget is None:
            return
        loop = asyncio.get_running_loop()
        while True:
            # Counted before the outcome is known, so that nobody gives up while another call may still free money.
            self._held += 1
            if await loop.run_in_executor(
                self._threads, self._budget.reserve, self._ledger, key, attempt, bound.cost_usd
            ):
                return
            self._held -= 1
            self._settled.set()
            if not self._held:
                balance = self._budget.balance()
                raise BudgetSpent(
                    f"the cap of ${balance.cap_usd:.2f} leaves no room for a call of at most ${bound.cost_usd:.4f}: "
                    f"${balance.paid_usd:.4f} paid, ${balance.reserved_usd:.4f} reserved for calls that are running or "
                    "whose outcome is unknown; raise distill.budget_usd and run again: every answer so far is kept"
                )
            self._settled.clear()
            await self._settled.wait()

    async def settle(self, key: str, attempt: int, paid_usd: float | None) -> None:
        """Replace what was reserved by what was paid; None (it may have been billed without a reply) keeps the
        reservation."""
        if self._budget is None:
            return
        try:
            if paid_usd is not None:
                await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._budget.settle, self._ledger, key, attempt, paid_usd
                )
        finally:
            self._held -= 1
            self._settled.set()
