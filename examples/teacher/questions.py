"""Parses plain English questions about scenes and the things that appear in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from examples.palette import GLYPH_COLOURS, SCENE_COLOURS, SHAPES, TEXTURES

Kind = Literal[
    "shape",
    "colour",
    "digit",
    "when_event",
    "when_scene",
    "count_events",
    "count_scenes",
    "order_events",
    "order_scenes",
    "after_event",
    "before_event",
    "exists_event",
    "exists_scene",
    "next_scene",
    "where",
    "stays",
    "fact",
    "unknown",
]
Look = tuple[str, str]

_COLOURS = "|".join({*SCENE_COLOURS, *GLYPH_COLOURS})
_SCENES = "|".join(SCENE_COLOURS)
_SHAPE_WORDS = "|".join(SHAPES)
_WORDS = {words: name for name, words in TEXTURES.items()} | {
    "stripes": "",
    "brick": "bricks",
    "grid": "grid",
    "checkers": "checks",
    "dotted": "dots",
}
_LOOK = re.compile(
    rf"\bplain ({_SCENES})\b|\b({_SCENES}) ({'|'.join(sorted(map(re.escape, _WORDS), key=len, reverse=True))})\b"
)
_GLYPH = re.compile(rf"\b(?:({_COLOURS}) )?(?:digit (\d)|({_SHAPE_WORDS}))(s?)\b")
_FACTS: tuple[tuple[str, str], ...] = (
    (r"corners .*triangle|triangle.* (corners|sides|angles)|corners of a triangle|sides of a triangle", "3"),
    (r"(square|diamond|rectangle).* (corners|sides)|corners of a square|wheels of a (usual )?car|seasons", "4"),
    (r"five-pointed|pentagon|fingers of a hand", "5"),
    (r"sides of a cube|faces of a cube|hexagon", "6"),
    (r"days (of|in) a week|colours of the rainbow", "7"),
    (r"legs of a spider|arms of an octopus|octagon", "8"),
    (r"wheels of a bicycle|eyes of a person", "2"),
    (r"colour (is|has) (the )?(clear|cloudless) sky", "blue"),
    (r"colour (is|has) (fresh )?(grass|snow)", "green"),
)


Ordinal = Literal["first", "last", ""]


@dataclass(frozen=True, slots=True)
class Intent:
    kind: Kind
    looks: tuple[Look, ...] = ()
    """Scenes the question names: (colour, texture); "" leaves the texture open."""
    glyphs: tuple[tuple[str, str], ...] = ()
    """Shapes and digits it names, each with its colour or ""."""
    plural: bool = False
    """Whether the first of them is plural."""
    ordinal: Ordinal = ""
    fact: str | None = None
    """The answer if the wording alone implies it."""
    option_looks: tuple[tuple[Look, ...], ...] = ()


def find_looks(text: str) -> tuple[Look, ...]:
    """Scenes a text names, in order."""
    return tuple((match[1], "plain") if match[1] else (match[2], _WORDS[match[3]]) for match in _LOOK.finditer(text))


def find_glyphs(text: str) -> tuple[tuple[str, str], ...]:
    """Shapes and digits a text names, in order, each with its colour or ""."""
    return tuple((match[2] or match[3], match[1] or "") for match in _GLYPH.finditer(_LOOK.sub("", text)))


def understand(question: str, options: tuple[str, ...] = ()) -> Intent:
    """The intent of a question; `unknown` if none is recognised. Never raises."""
    text = question.lower()
    looks, glyphs = find_looks(text), find_glyphs(text)
    matches = list(_GLYPH.finditer(_LOOK.sub("", text)))
    option_looks = tuple(find_looks(option.lower()) for option in options)
    ordinal: Ordinal = (
        "last" if re.search(r"\b(last|final)\b", text) else "first" if re.search(r"\bfirst\b", text) else ""
    )
    fact = _fact(text)
    kind: Kind = "fact" if fact is not None else _kind(text, looks, glyphs, option_looks)
    return Intent(kind, looks, glyphs, bool(matches and matches[0][4]), ordinal, fact, option_looks)


def _fact(text: str) -> str | None:
    named = re.search(rf"what colour is the ({_COLOURS}) (?:digit|{_SHAPE_WORDS})", text)
    if named:
        return named[1]
    if re.search(
        r"how many (corners|sides|points|angles)|number of|colour (is|has) (the )?(fresh |clear )?(sky|grass)", text
    ):
        return next((answer for pattern, answer in _FACTS if re.search(pattern, text)), None)
    return None


def _kind(
    text: str, looks: tuple[Look, ...], glyphs: tuple[tuple[str, str], ...], option_looks: tuple[tuple[Look, ...], ...]
) -> Kind:
    rules: tuple[tuple[bool, Kind], ...] = (
        (bool(re.search(r"how often|separate times|how many times", text)), "count_scenes"),
        ("how many" in text and "scenes" in text and not looks, "count_scenes"),
        ("how many" in text, "count_events"),
        ("order" in text, "order_events" if len(glyphs) >= 2 else "order_scenes"),
        (
            bool(re.search(r"(which|what) scene (comes|follows)|(which|what) scene .*after", text)) and not glyphs,
            "next_scene",
        ),
        (bool(re.search(r"in which (of these )?scenes?|which scene|^where", text)), "where"),
        (bool(re.search(r"part of the video|is there (a|any) scene", text)), "exists_scene"),
        (
            bool(re.search(r"which second|what time|\bwhen\b|at what second", text)),
            "when_event" if glyphs else "when_scene",
        ),
        (bool(re.match(r"(does|is|do|did|are)\b", text)) and "before" in text and len(glyphs) >= 2, "before_event"),
        (bool(re.match(r"(does|is|do|did|are)\b", text)) and bool(glyphs), "exists_event"),
        (bool(re.search(r"(right|directly|just|immediately) after", text)) and bool(glyphs), "after_event"),
        (bool(re.search(r"stays|remains|several seconds", text)), "stays"),
        (bool(re.search(r"(what|which) colou?r", text)), "colour"),
        (bool(re.search(r"(which|what) (digit|number)", text)), "digit"),
        (bool(re.search(r"(which|what) (shape|symbol|thing|object)|what (appears|flashes)", text)), "shape"),
    )
    return next((kind for holds, kind in rules if holds), "unknown")
