"""One offline HTML page about a run: its inputs, what it kept and rejected, its cost, its results, what did not run."""

from eval.report.facts import ReportFacts
from eval.report.page import write_report

__all__ = ["ReportFacts", "write_report"]
