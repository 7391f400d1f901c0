"""One HTML page that says what a run took in, kept, dropped, cost, learnt and did not do. Opens from disk, offline."""

from eval.report.facts import ReportFacts
from eval.report.page import write_report

__all__ = ["ReportFacts", "write_report"]
