"""Edits a recipe file in place and keeps its comments."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from videozoomer.lake.atomic import replaced_file
from videozoomer.places.uris import absolute_place
from videozoomer.settings.loading import RecipeError, load_recipe


def add_source(path: Path, *, name: str, videos: str, questions: str, split: str, **more: object) -> None:
    """Append an entry to a recipe's `sources`; replace the file only if the result is a valid recipe.

    `more` are other settings of the source; those that are None or empty are left out. Relative paths start at the
    current folder and are written as absolute ones.

    Raises:
        RecipeError: the file is missing, has no `sources` list in block form, or would not be a valid recipe.
    """
    if not path.is_file():
        raise RecipeError(f"recipe {path} does not exist; write one with `videozoomer init {path}`")
    lines = path.read_text().splitlines()
    start = next((i for i, line in enumerate(lines) if re.match(r"sources:\s*(#.*)?$", line)), None)
    if start is None:
        raise RecipeError(f"{path} has no list `sources:` in block form; add the source by hand")
    end = next(
        (i for i in range(start + 1, len(lines)) if lines[i] and not lines[i].startswith((" ", "-", "#"))), len(lines)
    )
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    first = next((line for line in lines[start + 1 : end] if line.lstrip().startswith("-")), "  -")
    pad = first[: len(first) - len(first.lstrip())]

    here = Path.cwd()
    entry: dict[str, object] = {
        "name": name,
        "videos": absolute_place(videos, here),
        "questions": absolute_place(questions, here),
        "split": split,
    }
    if more.get("answers"):
        more["answers"] = absolute_place(str(more["answers"]), here)
    entry |= {setting: value for setting, value in more.items() if value is not None and value != {}}
    block = yaml.safe_dump(entry, sort_keys=False, width=1000).splitlines()
    added = [f"{pad}{'- ' if i == 0 else '  '}{line}" for i, line in enumerate(block)]
    with replaced_file(path) as candidate:
        candidate.write_text("\n".join([*lines[:end], *added, *lines[end:]]) + "\n")
        try:
            load_recipe(candidate)
        except RecipeError as error:
            raise RecipeError(str(error).replace(str(candidate), str(path))) from error
