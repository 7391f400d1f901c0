"""README.md of a data set: its contents, its origin, what was rejected and why, and how to load it."""

from __future__ import annotations

from videozoomer.reviews.counting import sentence
from videozoomer.shards.manifest import Manifest
from videozoomer.shards.schema import ROWS

_TITLES = {
    "sft": "Zoom trajectories for fine-tuning",
    "rl": "Questions for reinforcement learning",
    "evaluation": "Questions for evaluation",
}


def render_card(manifest: Manifest) -> str:
    about, declared = manifest.about, ROWS[manifest.kind]
    size = sum(file.bytes for file in manifest.files)
    parts = [
        _front_matter(manifest),
        f"# {_TITLES[manifest.kind]} ({manifest.kind})\n",
        *([f"**This data set is empty: {about['empty']}.**\n"] if "empty" in about else []),
        f"Each row is {declared.meaning}. Each frame is a JPEG, stored once under the hash of its bytes, byte for byte "
        "as the player saw it; `places` lists every video and time at which the rows show it.\n",
        _table(("fact", "value"), [*((key, value) for key, value in manifest.counts.items()), ("bytes", size)]),
        "## Origin\n",
        _table(("fact", "value"), [(key, value) for key, value in about.items() if not isinstance(value, dict | list)]),
    ]
    if protocol := manifest.protocol:
        parts += [
            "## Protocol\n\nThe numbers that episodes are played by.\n",
            _table(("number", "value"), list(protocol.to_dict().items())),
        ]
    if players := about.get("players"):
        parts += [
            "## Players\n\nA reflection begins with a student's failed turns; it counts for the player who corrected "
            "them.\n",
            _table(
                ("kind", "player", "rows", "share"),
                [(p["kind"], p["player"], p["rows"], f"{p['share']:.1%}") for p in players],
            ),
        ]
    if served := about.get("served"):
        parts += [
            "## Models\n\nThe models that replies name; a gateway may answer with another than the one asked for.\n",
            _table(("player", "model in the replies", "rows"), [(s["player"], s["model"], s["rows"]) for s in served]),
        ]
    if left_out := about.get("left_out"):
        parts += ["## Left out\n", _table(("reason", "rows"), sorted(left_out.items()))]
    if funnel := about.get("funnel"):
        parts += [
            "## Funnel\n\nOutcomes of all trajectories and questions of the run; one item may have several reasons.\n",
            _table(
                ("stage", "kind", "reason", "rows"), [(f["stage"], f["kind"], f["reason"], f["rows"]) for f in funnel]
            ),
        ]
    if shuffled := about.get("shuffled"):
        letters = about["letters"]
        total = sum(letters.values())
        parts += [
            "## Options in another order\n\nMultiple choices whose options were moved, and why others were not.\n",
            _table(("multiple choices", "rows"), list(shuffled.items())),
            _table(
                ("letter of the right option", "rows", "share"),
                [(letter, rows, f"{rows / total:.1%}") for letter, rows in letters.items()],
            ),
        ]
    if balance := about.get("balance"):
        parts += ["## Balance\n\nBefore and after the rules.\n", *(f"- {text}" for text in about["balance_warnings"])]
        parts += [*([""] if about["balance_warnings"] else []), _balance(balance)]
    if reviews := about.get("reviews"):
        parts += ["## Reviews\n\n" + _reviewed(reviews), _table(("decision", "number"), _decisions(reviews))]
    parts += [
        "## Columns\n",
        _table(
            ("column", "type", "meaning"),
            [(c.name, f"`{manifest.columns[c.name]}`", c.meaning) for c in declared.columns],
        ),
        "## Loading\n\n```python\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("path/to/this/folder")\nframes = load_dataset("path/to/this/folder", "frames")\n```\n\n'
        "`manifest.json` lists the SHA-256 of every file.\n",
    ]
    return "\n".join(parts)


def _balance(rows: list[dict]) -> str:
    """One line for each value, with its share of all items whose trait is known."""
    total: dict[tuple[str, str, str], int] = {}
    for row in rows:
        for side in ("before", "after"):
            key = (row["kind"], row["trait"], side)
            total[key] = total.get(key, 0) + row[side]

    def figures(row: dict, side: str) -> tuple[int, str]:
        of = total[row["kind"], row["trait"], side]
        return row[side], f"{row[side] / of:.1%}" if of else "–"

    return _table(
        ("kind", "trait", "value", "before", "share", "after", "share"),
        [(row["kind"], row["trait"], row["value"], *figures(row, "before"), *figures(row, "after")) for row in rows],
    )


def _reviewed(reviews: dict) -> str:
    measured = f" {sentence(reviews['precision'])}." if "precision" in reviews else ""
    return f"What people decided when this data set was made.{measured}\n"


def _decisions(reviews: dict) -> list[tuple]:
    stale = [("no longer applies, its content changed", reviews["stale"])] if reviews["stale"] else []
    return [*reviews["decisions"].items(), *stale]


def _front_matter(manifest: Manifest) -> str:
    """The YAML front matter from which `datasets` knows the files of each split."""
    splits = list(dict.fromkeys(file.split for file in manifest.of_role("rows")))
    lines = ["---", "configs:"]
    if splits:
        lines += ["- config_name: rows", "  default: true", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: data-{split}-*.parquet"]
    if manifest.of_role("frames"):
        lines += ["- config_name: frames", "  data_files:", "  - split: frames", "    path: frames-*.parquet"]
    return "\n".join([*lines, "---", ""]) if len(lines) > 2 else ""


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
