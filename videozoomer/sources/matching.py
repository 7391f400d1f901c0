"""Which video of a source a question file means: by path within the source folder, never by a like name elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from videozoomer.places.uris import member_name

Parts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """The video of one question, or why there is none."""

    uri: str | None
    reason: str | None = None
    """`unknown_video` or `ambiguous_video`."""
    foreign_folder: str | None = None
    """A folder that the question file names and the source does not have, where the rest of the path fits."""
    by_folder: bool = False
    """Whether only a folder named like the question file or the question's topic tells it from others of its name."""


@dataclass(slots=True)
class Videos:
    """The videos of one source, found by any end of their path.

    `root` is the folder that the source names. A name matches a video if it is an end of the video's path, or if the
    video's path within `root` is an end of the name: `elsewhere/a.mp4` is `a.mp4` of a flat folder, but
    `season2/ep01.mp4` is never `season1/ep01.mp4`. `folders` tell several matches apart, such as the name of the
    question file: MLVU stores the videos of `1_plotQA.json` in the folder `1_plotQA`, whose questions have the topic
    `plotQA`.
    """

    uris: Sequence[str]
    root: str = ""
    folders: Sequence[str] = ()
    _paths: dict[str, Parts] = field(init=False)
    _within: dict[str, Parts] = field(init=False)
    _by_name: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._paths = {uri: path_parts(uri) for uri in self.uris}
        base = path_parts(self.root) if self.root else ()
        self._within = {uri: _within(uri, parts, base) for uri, parts in self._paths.items()}
        self._by_name = {}
        for uri, parts in self._paths.items():
            for name in {parts[-1], PurePosixPath(parts[-1]).stem} if parts else ():
                self._by_name.setdefault(name, []).append(uri)

    def find(self, named: str, topic: str | None = None) -> Match:
        """The video that a question file names by URL, path, name or stem.

        Of several, the one in a folder named like `topic`, where there is exactly one.
        """
        if named in self._paths:
            return Match(named)
        parts = path_parts(named)
        likely = self._likely(parts[-1]) if parts else []
        found = [uri for uri in likely if _ends(self._paths[uri], parts)]
        exact = [uri for uri in found if len(self._within[uri]) == len(parts) > 1]
        if exact or found:
            return self._one(exact or found, topic)
        dropped = [uri for uri in likely if _ends(parts, self._within[uri])]
        if not dropped:
            return Match(None, "unknown_video")
        best = max(len(self._within[uri]) for uri in dropped)
        match = self._one([uri for uri in dropped if len(self._within[uri]) == best], topic)
        return Match(match.uri, match.reason, "/".join(parts[:-best]), match.by_folder)

    def _likely(self, name: str) -> list[str]:
        """Videos of that name or stem; a folder of pictures has no suffix where the name may have one."""
        stem = PurePosixPath(name).stem
        bare = [uri for uri in self._by_name.get(stem, ()) if self._paths[uri][-1] == stem != name]
        return self._by_name.get(name, []) + bare

    def _one(self, found: Sequence[str], topic: str | None) -> Match:
        if len(found) == 1:
            return Match(found[0])
        told = [uri for uri in found if any(folder in self._paths[uri][:-1] for folder in self.folders)]
        if len(told) != 1 and topic:
            told = [uri for uri in found if any(_plain(part) == _plain(topic) for part in self._paths[uri][:-1])]
        return Match(told[0], by_folder=True) if len(told) == 1 else Match(None, "ambiguous_video")


def source_root(place: str) -> str:
    """The folder that `videos` of a source names: itself, the fixed start of a glob, or the folder of a file."""
    if "://" not in place and Path(place).is_dir():
        return place
    fixed = re.split(r"[*?\[]", place, maxsplit=1)[0]
    if fixed != place:
        return fixed.rsplit("/", 1)[0] if "/" in fixed else ""
    is_file = PurePosixPath(place).suffix and not place.endswith("/")
    return place.rpartition("/")[0] if is_file else place


def collisions(matches: Iterable[tuple[str, Match]]) -> set[str]:
    """Names that lose their match: they name a folder that the source does not have, and another name of the file
    means the same video. Then the folder tells films apart, and dropping it would bind one of them to another."""
    names_of: dict[str, set[str]] = {}
    foreign: dict[str, str] = {}
    for named, match in matches:
        if match.uri is not None:
            names_of.setdefault(match.uri, set()).update(["/".join(path_parts(named)[:-1])])
            if match.foreign_folder is not None:
                foreign[named] = match.uri
    return {named for named, uri in foreign.items() if len(names_of[uri] - {""}) > 1}


def _within(uri: str, parts: Parts, base: Parts) -> Parts:
    """A video's path within the source's folder, or within its archive."""
    member = member_name(uri)
    if member is not None:
        return path_parts(member.inner)
    return parts[len(base) :] if base and parts[: len(base)] == base and len(parts) > len(base) else parts


def path_parts(place: str) -> Parts:
    """Folders and name; of a URL its host and path, without scheme, query string and fragment.

    A member of an archive is found in the archive as in a folder: `films.zip/season1/ep01.mp4`.
    """
    member = member_name(place)
    if member is not None:
        return path_parts(member.archive) + path_parts(member.inner)
    if "://" in place:
        place = unquote(place.split("://", 1)[1].split("?", 1)[0].split("#", 1)[0])
    return tuple(part for part in place.replace("\\", "/").split("/") if part not in ("", "."))


def _plain(folder: str) -> str:
    """A folder's name without the number that orders it."""
    return re.sub(r"^\d+[_\-. ]+", "", folder).casefold()


def _ends(whole: Parts, end: Parts) -> bool:
    """Whether a path ends with another one; the suffix of either name may be absent."""
    if not end or len(end) > len(whole):
        return False
    last, wanted = whole[-1], end[-1]
    named = wanted in (last, PurePosixPath(last).stem) or last == PurePosixPath(wanted).stem
    return named and whole[len(whole) - len(end) : -1] == end[:-1]
