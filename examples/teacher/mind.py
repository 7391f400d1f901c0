"""One turn of the teacher: from a conversation to a thought and a zoom or an answer."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from examples.teacher import words
from examples.teacher.answers import guess, to_option
from examples.teacher.conclusions import conclude, patient
from examples.teacher.conversation import Conversation
from examples.teacher.overviews import from_overview
from examples.teacher.questions import Intent, find_looks, understand
from examples.teacher.reading import Seen, Temper, read_events
from examples.teacher.scenes import Cut, Target, choose_target, cut, fastest_in, gaps, looks_of, overlap_s, pace
from examples.teacher.timeline import Span, find_spans

_OF_SCENES = ("order_scenes", "next_scene", "count_scenes", "exists_scene")


@dataclass(slots=True)
class Move:
    thought: list[str] = field(default_factory=list)
    cut: Cut | None = None
    answer: str | None = None


def think(talk: Conversation, temper: Temper) -> str:
    """The reply to a conversation: never fails, whatever was asked."""
    if talk.judge is not None:
        return _judge(talk.judge)
    if talk.question is None:
        return _small_talk(talk)
    player = _Player(talk, temper)
    move = player.move()
    return _spoiled(_written(move, player.intent, talk, player.luck), move, talk, temper)


class _Player:
    def __init__(self, talk: Conversation, temper: Temper) -> None:
        self.talk, self.temper = talk, temper
        self.intent: Intent = understand(talk.question or "", talk.options)
        self.spans = find_spans(talk.overview, talk.end_s)
        self.luck: random.Random = temper.luck("turn", talk.digest)
        self.careful = talk.asked_to_reflect
        self.hint = talk.last_text[talk.last_text.find("where to look instead.") :][22:90] if self.careful else ""

    def move(self) -> Move:
        kind, talk = self.intent.kind, self.talk
        if kind == "fact":
            return self._know()
        if not self.spans:
            return self._guess(
                "There are no frames to look at." if not talk.overview else "The frames show nothing that I recognise."
            )
        if not talk.zooms and self.temper.slips(0.05, "rash", talk.opening):
            return self._guess("The overview gives an impression, which has to be enough.")
        if kind in _OF_SCENES:
            return self._of_scenes()
        if kind == "where":
            return self._search()
        if kind == "unknown" or not self.intent.looks:
            return self._guess("I do not see what exactly the question asks me to look at.")
        target = choose_target(talk, self.spans, self.intent.looks[0], self.temper, careful=self.careful)
        if target is None:
            if kind == "exists_event" and not self.careful:
                return Move([f"No overview frame shows {words.named(self.intent.looks[0])}."], answer="no")
            return self._guess(f"No frame shows {words.named(self.intent.looks[0])}.")
        return self._border(target) if kind == "when_scene" else self._watch(target)

    def _know(self) -> Move:
        assert self.intent.fact is not None
        thought = self.luck.choice(
            (
                "This can be told without looking closely.",
                "The wording settles this.",
                "General knowledge is enough here.",
            )
        )
        if self.temper.slips(0.04, "fact", self.talk.opening):
            return self._guess(thought)
        return Move([thought, words.concluding(self.luck, self.intent.fact)], answer=self.intent.fact)

    def _guess(self, reason: str) -> Move:
        middle_s = self.talk.end_s / 2
        looks = self.intent.looks
        best = max(self.spans, key=lambda span: span.match(looks[0]), default=None) if looks else None
        if best is not None:
            middle_s = (best.first_s + best.last_s) / 2
        return Move(
            [words.guessing(self.luck, reason)],
            answer=guess(self.intent, self.talk.options, self.talk.how, middle_s, self.luck),
        )

    def _of_scenes(self) -> Move:
        move = from_overview(self.intent, self.spans, self.talk.options, self.luck)
        if move is None or self.temper.slips(0.07, "of scenes", self.talk.opening):
            return self._guess("The overview leaves this open." if move is None else "The scenes are easily mixed up.")
        return Move(*move)

    def _zoom(self, move: Move, start_s: float, end_s: float, fps: float) -> Move:
        move.cut = cut(start_s, end_s, fps, self.talk.budget, self.talk.end_s)
        move.thought.append(words.zooming(self.luck, move.cut.start_s, move.cut.end_s, move.cut.fps))
        return move

    def _watch(self, target: Target) -> Move:
        """Look through a scene until the question can be answered."""
        talk, span, move = self.talk, target.span, Move()
        events = read_events(looks_of(talk, span), self.temper, talk.opening)
        open_gaps = gaps(talk, span)
        thorough = patient(self.intent)
        if self.careful and talk.may_zoom:
            return self._look_again(target, events, open_gaps)
        self._report(move, target, events)
        enough = not open_gaps or (bool(talk.zooms) and self.temper.slips(0.1, "enough", talk.digest))
        value = conclude(self.intent, events, complete=bool(talk.zooms) and enough)
        seen_closely = (
            bool(talk.zooms) or self.intent.kind == "stays" or self.temper.slips(0.5, "glimpse", talk.opening)
        )
        if value is not None and (seen_closely or not talk.may_zoom):
            if not talk.zooms and events:
                move.thought.append(words.glimpsed(self.luck, events))
            move.thought.append(words.concluding(self.luck, value))
            move.answer = value
            return move
        if talk.may_zoom and open_gaps and not (enough and talk.zooms):
            rate = pace(talk, span, self.temper, careful=False, patient=thorough)
            start_s, end_s = open_gaps[0]
            if value is not None and events:
                start_s, end_s, rate = events[0].start_s - 2, events[0].end_s + 2, 4.0
            elif talk.zooms and not target.noticed:
                move.thought.append(words.going_on(self.luck, start_s))
            else:
                move.thought.append(words.nothing_yet(self.luck, self._what()))
            return self._zoom(move, start_s, end_s, rate)
        value = conclude(self.intent, events, complete=bool(talk.zooms) or self.intent.kind != "exists_event")
        if value is None:
            reason = (
                "Nothing of the kind was to be seen."
                if talk.zooms
                else "The overview does not show it, and I cannot look closer."
            )
            guessed = self._guess(reason)
            return Move([*move.thought, *guessed.thought], answer=guessed.answer)
        move.thought.append(words.concluding(self.luck, value))
        move.answer = value
        return move

    def _what(self) -> str:
        kinds = {
            "digit": "the digit",
            "colour": "its colour",
            "count_events": "all of the shapes",
            "order_events": "the order",
            "when_event": "the moment",
        }
        return kinds.get(self.intent.kind, "it")

    def _report(self, move: Move, target: Target, events: list[Seen] | None) -> None:
        """Put into words what the last turn brought; `events` is None where the question is not about any."""
        talk = self.talk
        if target.noticed is not None:
            move.thought.append(words.regret(self.luck, "wrong_place", f"{words.named(target.noticed.look)}", ""))
        last = talk.attempts[-1] if talk.attempts else None
        if last is not None and last.error:
            move.thought.append(
                self.luck.choice(
                    ("That call was not valid.", f"The call failed: {last.error}", "I have to correct the call.")
                )
            )
        if last is None or target.noticed is not None or not last.looks:
            move.thought.append(
                words.overview_finding(
                    self.luck, target.span.look if not target.wrong else self.intent.looks[0], target.span
                )
            )
        elif last.zoom is not None and events is None:
            move.thought.append(
                words.changes(
                    self.luck,
                    [look.time_s for look in last.looks if look.sight.match(*target.span.look) > 0.2],
                    target.span.look,
                )
            )
        elif last.zoom is not None and events is not None:
            within = [event for event in events if last.looks[0].time_s <= event.start_s <= last.looks[-1].time_s]
            move.thought.append(words.zoom_finding(self.luck, within, last.looks[0].time_s, last.looks[-1].time_s))

    def _look_again(self, target: Target, events: list[Seen], open_gaps: list[tuple[float, float]]) -> Move:
        """A reflection: say what was wrong with the last zoom, and look elsewhere or more densely."""
        span, luck, move = target.span, self.luck, Move()
        fps = fastest_in(self.talk, span)
        rate = pace(self.talk, span, self.temper, careful=True, patient=False)
        if target.noticed is not None or not fps:
            wrong = target.noticed or span
            move.thought.append(words.regret(luck, "wrong_place", words.named(wrong.look), self.hint))
            move.thought.append(words.overview_finding(luck, span.look, span))
            return self._zoom(move, *(open_gaps or [(span.low_s, span.high_s)])[0], rate)
        if fps < 1.9:
            move.thought.append(words.regret(luck, "sparse", f"one frame every {1 / fps:.1f} s", self.hint))
            start_s = max(span.low_s, events[0].start_s - 2) if events and not patient(self.intent) else span.low_s
            return self._zoom(move, start_s, span.high_s, rate)
        if open_gaps:
            move.thought.append(words.regret(luck, "partial", words.at(open_gaps[0][0]), self.hint))
            return self._zoom(move, *open_gaps[0], rate)
        unsure = [event for event in events if not event.clear] or events
        middle_s = luck.choice(unsure).start_s if unsure else (span.first_s + span.last_s) / 2
        move.thought.append(words.regret(luck, "misread", words.at(middle_s), self.hint))
        around_s = self.talk.budget / rate / 2
        return self._zoom(move, max(span.low_s, middle_s - around_s), middle_s + around_s, rate)

    def _border(self, target: Target) -> Move:
        """When a scene begins: between the last frame before it and its first."""
        talk, span, move = self.talk, target.span, Move()
        self._report(move, target, None)
        looks = looks_of(talk, span)
        first_s = min([look.time_s for look in looks], default=span.first_s)
        before_s = max((look.time_s for look in talk.looks if look.time_s < first_s), default=0.0)
        if talk.may_zoom and first_s > 0.3 and (first_s - before_s > 0.6 or self.careful):
            if self.careful:
                move.thought.insert(0, words.regret(self.luck, "misread", words.at(first_s), self.hint))
            start_s = max(0.0, min(before_s, first_s - 1))
            return self._zoom(move, start_s, first_s + 0.5, min(6.0, talk.budget / (first_s + 0.6 - start_s)))
        value = f"{(before_s + first_s) / 2:.1f}" if first_s > 0.3 else "0.0"
        move.thought.append(words.concluding(self.luck, f"{value} s"))
        move.answer = value
        return move

    def _search(self) -> Move:
        """In which of several scenes something appears: one zoom a scene, until it is found."""
        talk, intent, move = self.talk, self.intent, Move()
        named = [looks[0] for looks in intent.option_looks if looks] or [span.look for span in self.spans]
        best: list[tuple[tuple[str, str], Span]] = [
            (look, max(self.spans, key=lambda span, look=look: span.match(look))) for look in named
        ]
        order = self.temper.luck("search", talk.opening)
        order.shuffle(best)
        unseen = []
        for look, span in best:
            shown = read_events(looks_of(talk, span), self.temper, talk.opening)
            wanted = [
                e
                for e in shown
                if not intent.glyphs or (e.name == intent.glyphs[0][0] and intent.glyphs[0][1] in ("", e.colour))
            ]
            if wanted and not (self.careful and talk.may_zoom):
                move.thought += [
                    words.zoom_finding(self.luck, wanted, span.first_s, span.last_s),
                    words.concluding(self.luck, words.named(look)),
                ]
                move.answer = words.named(look)
                return move
            covered = any(
                a.zoom
                and overlap_s(a.zoom.start_s, a.zoom.end_s, span.first_s, span.last_s)
                > 0.4 * (span.last_s - span.first_s)
                for a in talk.zooms
            )
            if not covered:
                unseen.append((look, span))
        tired = bool(talk.zooms) and not self.careful and self.temper.slips(0.08, "tired", talk.digest)
        if (
            talk.may_zoom
            and (unseen or self.careful)
            and not tired
            and not (len(unseen) == 1 and len(best) > 1 and not self.careful)
        ):
            look, span = (unseen or best)[0]
            last = talk.attempts[-1].looks if talk.attempts else []
            shown = read_events(last, self.temper, talk.opening)
            if self.careful:
                found = words.listed([words.event_words(event) for event in shown]) or "nothing of interest"
                move.thought.append(words.regret(self.luck, "wrong_place", found, self.hint))
            elif last:
                move.thought.append(words.zoom_finding(self.luck, shown, last[0].time_s, last[-1].time_s))
            move.thought.append(words.overview_finding(self.luck, look, span))
            return self._zoom(move, span.low_s, span.high_s, min(4.0, talk.budget / max(1.0, span.high_s - span.low_s)))
        if len(unseen) == 1:
            move.thought.append(f"The other scenes do not show it, which leaves {words.named(unseen[0][0])}.")
            move.answer = words.named(unseen[0][0])
            return move
        return self._guess("It was not to be seen in any of them.")


def _written(move: Move, intent: Intent, talk: Conversation, luck: random.Random) -> str:
    """The turn in the protocol's format."""
    thought = f"<think>{' '.join(move.thought)}</think>\n"
    if move.cut is not None:
        return f'{thought}<video_zoom>{{"segment": [{move.cut.start_s:g}, {move.cut.end_s:g}], "fps": {move.cut.fps:g}}}</video_zoom>'
    answer = move.answer or ""
    if talk.options and not re.fullmatch(r"[A-Z]", answer):
        answer = to_option(answer, talk.options) or guess(intent, talk.options, talk.how, 0.0, luck)
    return (
        f"{thought}<answer>\\boxed{{{answer}}}</answer>"
        if luck.random() < 0.08
        else f"{thought}<answer>{answer}</answer>"
    )


def _spoiled(reply: str, move: Move, talk: Conversation, temper: Temper) -> str:
    """Now and then a reply that breaks the format, as models write them."""
    if not temper.slips(0.025, "spoil", talk.digest):
        return reply
    luck = temper.luck("how spoilt", talk.digest)
    if move.cut is None:
        return luck.choice((reply.replace("</answer>", ""), reply.replace("<think>", "").replace("</think>", "")))
    return luck.choice(
        (
            reply.replace("]", ""),
            reply.replace('"fps": ', '"fps": 1'),
            f"<answer>{guess(understand(talk.question or ''), talk.options, talk.how, 0.0, luck)}</answer>\n{reply}",
            reply.replace('"segment"', "segment"),
        )
    )


def _judge(texts: dict[str, str]) -> str:
    """Whether two answers mean the same: by their words, numbers and the looks they name."""
    expected, given = (re.sub(r"[^a-z0-9. ]+", " ", texts[name].lower()).split() for name in ("expected", "given"))
    small = {"the", "a", "an", "is", "it", "with", "scene"}
    same = [word for word in expected if word not in small] == [word for word in given if word not in small]
    looks = find_looks(texts["expected"].lower()), find_looks(texts["given"].lower())
    return "YES" if same or (looks[0] and looks[0] == looks[1]) else "NO"


def _small_talk(talk: Conversation) -> str:
    """Something plausible for what it was not made for."""
    seen = (
        "" if not talk.overview else f" The picture I was sent looks like {words.named(talk.overview[0].sight.look)}."
    )
    reply = f"I answer questions about the scenes of a video; I found none in this request.{seen}"
    return f"<think>{reply}</think>\n<answer>unknown</answer>" if "<answer>" in talk.system else reply
