"""What edits have touched since the last finished run, and so what the next run may make again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from edited_home import EditedHome

from videozoomer.lake import Lake

READ = {"videos", "shots", "overviews"}
PLAYED = {"probes", "exemplars", "reflections"}
GRADED = {"probe_grades", "exemplar_grades", "reflection_grades"}

State = dict[str, dict[str, object]]
"""By film: what each kind of result is made from."""


@dataclass
class Touched:
    home: EditedHome
    finished: State = field(default_factory=dict)
    """As of the last run that ended well."""
    films: dict[str, set[str]] = field(default_factory=lambda: {"film": set(), "questions": set()})
    """Paths of films of which this was edited before a run since then, also one that failed or was killed."""
    samples: bool = False
    anything: bool = True

    def note(self) -> None:
        """Call it before every run."""
        now = self._state()
        for path in now.keys() | self.finished.keys():
            for kind in ("film", "questions"):
                if now.get(path, {}).get(kind) != self.finished.get(path, {}).get(kind):
                    self.films[kind].add(path)
        self.samples |= self._settings("distill") != self.finished.get("", {}).get("distill")
        self.anything |= now != self.finished

    def check(self, made: set[tuple[str, str]], read: set[str], before: dict[str, set[str]]) -> None:
        """Everything made has a reason. Call it after a run that ended well; `before` is `batches` before it."""
        after = self.batches()
        assert read <= self.films["film"], f"read again without a reason: {read - self.films['film']}"
        for asset, batch in made:
            films = before.get(batch, set()) | after.get(batch, set())
            if asset in READ:
                assert films & self.films["film"] or not films, f"{asset} of {batch} without a reason"
            elif asset in PLAYED | GRADED:
                edited = self.films["film"] | self.films["questions"]
                assert self.samples or films & edited or not films, f"{asset} of {batch} without a reason"
            else:
                assert self.anything, f"{asset} without a reason"
        self.finished = self._state()
        self.films, self.samples, self.anything = {"film": set(), "questions": set()}, False, False

    def batches(self) -> dict[str, set[str]]:
        """The films of each batch, as the home has them."""
        files = Lake(self.home.folder / "home" / "tables").read("files")
        found: dict[str, set[str]] = {}
        for uri, batch in files.select("uri", "batch").iter_rows():
            found.setdefault(batch, set()).add(uri)
        return found

    def _state(self) -> State:
        state: State = {"": {name: self._settings(name) for name in self.home.settings}}
        rows = list(self.home.questions.values())
        state[""]["questions"] = json.dumps(rows)
        for path in (self.home.folder / "videos").iterdir():
            status = path.stat()
            asked = [row for row in rows if row["video"] == path.name]
            state[str(path)] = {"film": (status.st_size, status.st_mtime_ns), "questions": json.dumps(asked)}
        return state

    def _settings(self, name: str) -> str:
        return json.dumps(self.home.settings[name])
