"""The option `--recipe`, which most commands take, also without its name: `videozoomer run my.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pipelines.cli.output import reported, stop
from videozoomer.settings import Recipe, RecipeError, load_recipe

VARIABLE = "VIDEOZOOMER_RECIPE"
USAGE = 2
"""Exit code of a wrong command line."""
RECIPE = Annotated[Path, typer.Option("--recipe", "-r", help="The recipe (YAML) of the run.", envvar=VARIABLE)]


class RecipeCommand(TyperCommand):
    """A command with the option `--recipe`, which a lone file name of a recipe stands for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._with_recipe(args))
        except typer.BadParameter as missing:
            if missing.param is None or missing.param.name != "recipe":
                raise
            found = sorted(path.name for path in Path().glob("[!.]*.y*ml") if _looks_like_recipe(path))
            here = f"here {'are' if len(found) > 1 else 'is'} {', '.join(found[:5])}"
            how = here if found else "`videozoomer init my.yaml` writes one"
            raise stop(f"say which recipe, such as `-r {found[0] if found else 'my.yaml'}`; {how}", USAGE) from missing

    def _with_recipe(self, args: Sequence[str]) -> list[str]:
        """The arguments with `-r` before the first file name of a recipe that no option takes."""
        takes_value = {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}
        if _names_recipe(args) or not any(param.name == "recipe" for param in self.params):
            return list(args)
        for place, arg in enumerate(args):
            is_value = place > 0 and args[place - 1] in takes_value
            if arg.lower().endswith((".yaml", ".yml")) and not arg.startswith("-") and not is_value:
                return [*args[:place], "-r", *args[place:]]
        return list(args)


def _names_recipe(args: Sequence[str]) -> bool:
    return any(arg == "--recipe" or arg.startswith("--recipe=") or arg.startswith("-r") for arg in args)


def load(path: Path) -> Recipe:
    """The recipe at `path`; ends the command when it cannot be used."""
    with reported(RecipeError):
        return load_recipe(path)


def _looks_like_recipe(path: Path) -> bool:
    """Whether a file has the one section that every recipe has."""
    return path.is_file() and b"\nsources:" in b"\n" + path.read_bytes()
