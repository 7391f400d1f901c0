"""What was understood of a question file, for `videozoomer sources check` and the first lines of a run."""

from __future__ import annotations

from collections import Counter

from videozoomer.sources.layouts import KEY, ROLES, SUBKEY
from videozoomer.sources.questions import Reading


def understood(reading: Reading, examples: int = 5) -> list[str]:
    """A line on columns and answers, one on what is not used, and one for each of the first unusable rows."""
    lines = [f"{'; '.join([_columns(reading), *_forms(reading)])}; {_counts(reading)}"]
    if reading.nests:
        lines.append(f"each entry has its questions under {' and '.join(f'`{name}`' for name in reading.nests)}")
    if reading.joined:
        joined = reading.joined
        unused = f"; {joined.unused:,} answers there name no question" if joined.unused else ""
        lines.append(f"answers by `{joined.by}` from {joined.place} ({joined.found:,} questions){unused}")
    if reading.columns.ignored:
        lines.append(f"not used: {', '.join(reading.columns.ignored)}")
    if reading.foreign_folders:
        shown = ", ".join(f"{folder}/" for folder in sorted(reading.foreign_folders)[:examples])
        lines.append(f"found by the rest of their path, because the source has no folder {shown}")
    if reading.by_folder:
        lines.append(
            f"{reading.by_folder:,} name a video of which there are several; taken from the folder named like the "
            "question file or the topic"
        )
    lines += [f"{problem.where}: {problem.reason}: {problem.sentence}" for problem in reading.problems[:examples]]
    if len(reading.problems) > examples:
        lines.append(f"and {len(reading.problems) - examples} more")
    return lines


KEYS = {KEY: "the key of each entry", SUBKEY: "the inner key of each entry"}


def _columns(reading: Reading) -> str:
    columns = reading.columns
    renamed = [
        f"{role} from {KEYS.get(column, f'`{column}`')}"
        for role in ROLES
        if (column := columns.column_of.get(role, role)) != role
    ]
    if columns.series:
        renamed.append(f"options from `{columns.series[0]}` to `{columns.series[-1]}`")
    layout = f"layout of {columns.layout.name}" if columns.layout else "own columns"
    return f"{layout}: {', '.join(renamed)}" if renamed else layout


def _forms(reading: Reading) -> list[str]:
    forms = [f"options as {form} ({count})" for form, count in reading.option_forms.most_common()]
    convention = reading.convention
    if convention.count and convention.base is not None:
        forms.append(f"answer is a {convention.base}-based index ({convention.why})")
    elif convention.count:
        forms.append("answer is an index that may count from 0 or from 1: set index_base")
    if convention.texts and not convention.count:
        forms.append(
            f"answers that are numbers are texts of options ({convention.texts}): if they are indices, set index_base"
        )
    return forms


def _counts(reading: Reading) -> str:
    rows = f"{len(reading.rows):,} rows"
    reasons = Counter(row["reason"] for row in reading.rows if row["reason"])
    if not reasons:
        return f"{rows}, all usable"
    each = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"{rows}, {reasons.total():,} quarantined: {each}"
