"""Questions about a planned video: most need a zoom, some only the overview, some no video."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from examples.palette import GLYPH_COLOURS, SCENE_COLOURS, SHAPES, TEXTURES, scene_phrase
from examples.world.plan import Event, Scene, VideoPlan
from videozoomer.protocol.options import letter_of

Window = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Question:
    question: str
    answer: str
    answer_type: str
    topic: str
    evidence: tuple[Window, ...]
    needs: Literal["zoom", "overview", "nothing"]
    """What is needed to answer it; only tests see this."""
    options: tuple[str, ...] = ()
    id: str = ""
    video: str = ""
    twin_of: str | None = None
    """Id of the question this one repeats verbatim or nearly."""

    def row(self) -> dict:
        """A line of questions.jsonl."""
        return {
            "id": self.id,
            "video": self.video,
            "question": self.question,
            "options": list(self.options),
            "answer": self.answer,
            "type": self.answer_type,
            "topic": self.topic,
            "evidence": [[round(start, 3), round(end, 3)] for start, end in self.evidence],
        }


def ask(plan: VideoPlan, rng: random.Random, most: int) -> list[Question]:
    """At most `most` questions with ids: some about the whole video, at most two about a scene."""
    file = plan.outline.name
    looks = [scene.look for scene in plan.scenes]
    unique = [scene for scene in plan.scenes if looks.count(scene.look) == 1]
    whole = list(_on_whole(plan, unique, rng))
    rng.shuffle(whole)
    first, second = [], []
    for scene in unique:
        makers = _MAKERS[
            "single" if scene.programme in ("count", "sequence") and len(scene.events) < 2 else scene.programme
        ]
        made = [make(plan, scene, rng) for make in rng.sample(makers, min(2, len(makers)))]
        first += made[:1]
        second += made[1:]
    rng.shuffle(first)
    rng.shuffle(second)
    chosen = list({one.question: one for one in whole[: rng.choice((1, 1, 2))] + first + second}.values())[:most]
    stem = file.rsplit(".", 1)[0]
    return [replace(question, id=f"{stem}-q{number:02d}", video=file) for number, question in enumerate(chosen, 1)]


def again(question: Question, number: int, rng: random.Random, *, exact: bool) -> Question:
    """The same question under another id, verbatim or nearly."""
    text = question.question
    if not exact:
        changes = (
            (", one after another", ""),
            ("In which order do", "In which order exactly do"),
            ("At which second", "At which exact second"),
        )
        old, new = next((change for change in changes if change[0] in text), ("?", ", in this video?"))
        text = text.replace(old, new, 1)
    return replace(question, id=f"{question.id}-again{number}", question=text, twin_of=question.id)


def _choice(question: Question, wrong: list[str], rng: random.Random) -> Question:
    """The same question with four lettered options."""
    options = [question.answer, *rng.sample(sorted(set(wrong) - {question.answer}), 3)]
    rng.shuffle(options)
    return replace(
        question, options=tuple(options), answer=letter_of(options.index(question.answer)), answer_type="choice"
    )


def _sometimes(question: Question, wrong: list[str], rng: random.Random) -> Question:
    return _choice(question, wrong, rng) if rng.random() < 0.5 else question


def _where(scene: Scene) -> str:
    return scene_phrase(*scene.look)


def _window(event: Event) -> Window:
    return event.start_s, event.end_s


def _what_shape(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    event = scene.events[0]
    text = rng.choice(
        (f"In {_where(scene)}, which shape appears for a moment?", f"What shape flashes up briefly in {_where(scene)}?")
    )
    return _sometimes(Question(text, event.glyph, "text", "what", (_window(event),), "zoom"), list(SHAPES), rng)


def _what_colour(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    event = scene.events[0]
    noun = "digit" if event.glyph.isdigit() else event.glyph
    text = f"What colour is the {noun} that appears briefly in {_where(scene)}?"
    return _sometimes(Question(text, event.colour, "text", "what", (_window(event),), "zoom"), list(GLYPH_COLOURS), rng)


def _which_digit(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    event = scene.events[0]
    text = f"Which digit is shown for a moment in {_where(scene)}?"
    return _sometimes(
        Question(text, event.glyph, "number", "which", (_window(event),), "zoom"), list("0123456789"), rng
    )


def _when_event(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    event = (
        rng.choice(scene.events)
        if len({(e.glyph, e.colour) for e in scene.events}) == len(scene.events)
        else scene.events[0]
    )
    noun = f"digit {event.glyph}" if event.glyph.isdigit() else event.glyph
    text = f"At which second of the video does the {event.colour} {noun} appear in {_where(scene)}?"
    return Question(text, f"{event.start_s:.1f}", "time", "when", (_window(event),), "zoom")


def _does_appear(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    yes = bool(scene.events) and rng.random() < 0.7
    seen = {event.glyph for event in scene.events}
    if yes:
        event = rng.choice(scene.events)
        name, evidence = event.glyph, (_window(event),)
    else:
        name = rng.choice([shape for shape in SHAPES if shape not in seen])
        evidence = ((scene.start_s, scene.end_s),)
    name = f"the digit {name}" if name.isdigit() else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return Question(
        f"Does {name} appear at any moment in {_where(scene)}?",
        "yes" if yes else "no",
        "yes_no",
        "yes_no",
        evidence,
        "zoom",
    )


def _how_many(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    names = [event.glyph for event in scene.events]
    noun = names[0] + "s" if names.count(names[0]) > 1 and rng.random() < 0.5 else "shapes"
    asked = [event for event in scene.events if noun == "shapes" or event.glyph + "s" == noun]
    text = f"How many {noun} appear in {_where(scene)}, one after another?"
    question = Question(text, str(len(asked)), "number", "how_many", tuple(map(_window, asked)), "zoom")
    return _sometimes(question, list("1234567"), rng)


def _last_or_first(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    last = rng.random() < 0.5
    event = scene.events[-1 if last else 0]
    text = f"Several shapes appear in {_where(scene)}. What colour is the {'last' if last else 'first'} of them?"
    return _sometimes(
        Question(text, event.colour, "text", "which", (_window(event),), "zoom"), list(GLYPH_COLOURS), rng
    )


def _order(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    names = [event.glyph for event in scene.events]
    shuffled = sorted(names, key=lambda _: rng.random())
    listed = f"{', '.join(f'the {name}' for name in shuffled[:-1])} and the {shuffled[-1]}"
    text = f"In which order do {listed} appear in {_where(scene)}?"
    question = Question(text, ", ".join(names), "order", "order", tuple(map(_window, scene.events)), "zoom")
    if len(names) < 3:
        return question
    one, two, three = names
    return _sometimes(
        question,
        [f"{one}, {three}, {two}", f"{two}, {one}, {three}", f"{three}, {two}, {one}", f"{two}, {three}, {one}"],
        rng,
    )


def _right_after(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    place = rng.randrange(len(scene.events) - 1)
    before, after = scene.events[place], scene.events[place + 1]
    text = f"In {_where(scene)}, which shape appears right after the {before.glyph}?"
    return _sometimes(
        Question(text, after.glyph, "text", "which", (_window(before), _window(after)), "zoom"), list(SHAPES), rng
    )


def _before(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    one, two = rng.sample(range(len(scene.events)), 2)
    events = scene.events
    text = f"Does the {events[one].glyph} appear before the {events[two].glyph} in {_where(scene)}?"
    return Question(
        text, "yes" if one < two else "no", "yes_no", "yes_no", (_window(events[one]), _window(events[two])), "zoom"
    )


def _find(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    """In which scene something is seen: at least three scenes need a look."""
    event = scene.events[0]
    same = [
        other for other in plan.scenes if any((e.glyph, e.colour) == (event.glyph, event.colour) for e in other.events)
    ]
    if len(same) > 1:
        return _which_digit(plan, scene, rng)
    others = [_where(other) for other in plan.scenes if other.look != scene.look]
    if len(set(others)) < 3:
        return _which_digit(plan, scene, rng)
    text = f"In which of these scenes does a {event.colour} digit {event.glyph} appear?"
    return _choice(Question(text, _where(scene), "text", "where", (_window(event),), "zoom"), others, rng)


def _stays(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    event = scene.events[0]
    text = f"Which shape stays on the screen for several seconds in {_where(scene)}?"
    return _sometimes(Question(text, event.glyph, "text", "what", (_window(event),), "overview"), list(SHAPES), rng)


def _wording(plan: VideoPlan, scene: Scene, rng: random.Random) -> Question:
    """Answerable without the video."""
    event, where = scene.events[0], _where(scene)
    corners = {"triangle": 3, "square": 4, "diamond": 4, "star": 5}
    if event.glyph in corners:
        noun = "points" if event.glyph == "star" else "corners"
        text, answer = f"A five-pointed star appears in {where}. How many points does it have?", "5"
        if event.glyph != "star":
            text, answer = (
                f"A {event.glyph} appears in {where}. How many {noun} does it have?",
                str(corners[event.glyph]),
            )
        return Question(text, answer, "number", "what", (_window(event),), "nothing")
    facts = {
        "7": "days of a week",
        "3": "corners of a triangle",
        "8": "legs of a spider",
        "4": "wheels of a usual car",
        "5": "fingers of a hand",
        "2": "wheels of a bicycle",
        "6": "sides of a cube",
    }
    if event.glyph in facts:
        text = f"The digit shown in {where} is the number of {facts[event.glyph]}. Which digit is it?"
        return Question(text, event.glyph, "number", "which", (_window(event),), "nothing")
    noun = "digit" if event.glyph.isdigit() else event.glyph
    text = f"What colour is the {event.colour} {noun} that appears in {where}?"
    return Question(text, event.colour, "text", "what", (_window(event),), "nothing")


def _on_whole(plan: VideoPlan, unique: list[Scene], rng: random.Random) -> Iterator[Question]:
    """Questions about the scenes themselves, which the overview answers."""
    looks = [scene.look for scene in plan.scenes]
    absent = [(colour, name) for colour in SCENE_COLOURS for name in TEXTURES if (colour, name) not in looks]
    for scene in plan.scenes[:-1]:
        if looks.count(scene.look) == 2:
            evidence = tuple((other.start_s, other.end_s) for other in plan.scenes if other.look == scene.look)
            yield Question(
                f"How many separate times is {_where(scene)} shown?", "2", "number", "how_many", evidence, "overview"
            )
            break
    if len(unique) >= 4:
        place = rng.randrange(len(plan.scenes) - 1)
        scene, following = plan.scenes[place], plan.scenes[place + 1]
        if looks.count(scene.look) == 1:
            question = Question(
                f"Which scene comes directly after {_where(scene)}?",
                _where(following),
                "text",
                "which",
                ((scene.end_s - 2, following.start_s + 2),),
                "overview",
            )
            others = [_where(other) for other in plan.scenes if other.look not in (following.look, scene.look)]
            yield _choice(
                question,
                others if len(set(others)) > 2 else [scene_phrase(*look) for look in rng.sample(absent, 3)],
                rng,
            )
    three = sorted(rng.sample(unique, 3), key=lambda scene: scene.start_s)
    names = [_where(scene) for scene in three]
    right, wrong = (
        "; ".join(names),
        ["; ".join(names[i] for i in order) for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0))],
    )
    yield _choice(
        Question(
            "In which order do these scenes follow each other?",
            right,
            "text",
            "order",
            tuple((s.start_s, s.end_s) for s in three),
            "overview",
        ),
        wrong,
        rng,
    )
    look = rng.choice(absent)
    yield Question(
        f"Is {scene_phrase(*look)} part of the video?",
        "no",
        "yes_no",
        "yes_no",
        ((0.0, plan.outline.duration_s),),
        "overview",
    )
    scene = rng.choice([scene for scene in unique if scene.start_s > 0] or unique)
    yield Question(
        f"At which second of the video does {_where(scene)} begin?",
        f"{scene.start_s:.1f}",
        "time",
        "when",
        ((max(0.0, scene.start_s - 1), scene.start_s + 1),),
        "zoom",
    )


_Maker = Callable[[VideoPlan, Scene, random.Random], Question]
_MAKERS: dict[str, list[_Maker]] = {
    "single": [_what_shape, _what_colour, _when_event, _does_appear, _wording],
    "digit": [_which_digit, _find, _find, _when_event, _wording],
    "count": [_how_many, _how_many, _last_or_first],
    "sequence": [_order, _right_after, _before],
    "long": [_stays],
    "empty": [_does_appear],
}
