"""`python -m docs.generate` writes every generated page; `--check` names the stale ones and exits with 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from docs.generate.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]


def stale_pages(root: Path) -> list[str]:
    """Generated pages under `root` whose text is not what the code gives now; a missing page is stale too."""
    found = []
    for name, build in PAGES.items():
        path = root / name
        written = path.read_text(encoding="utf-8") if path.is_file() else ""
        if written != build(written):
            found.append(name)
    return found


def write_pages(root: Path) -> list[str]:
    """Bring every generated page up to date and return the names of those that changed."""
    changed = stale_pages(root)
    for name in changed:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGES[name](path.read_text(encoding="utf-8") if path.is_file() else ""), encoding="utf-8")
    return changed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page is stale")
    if parser.parse_args().check:
        stale = stale_pages(ROOT)
        for name in stale:
            print(f"{name} is out of date; run `make docs` and commit it", file=sys.stderr)
        return 1 if stale else 0
    for name in write_pages(ROOT):
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
