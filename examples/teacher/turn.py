"""One turn of the teacher: a conversation in, a thought with a zoom or an answer out."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.teacher import words
from examples.teacher.answers import guess, to_option
from examples.teacher.conclusions import conclude, patient
from examples.teacher.conversation import Conversation
from examples.teacher.overviews import from_overview
from examples.teacher.questions import Intent, find_looks, understand
from examples.teacher.reading import ErrorModel, Seen, read_events
from examples.teacher.scenes import Segment, Target, choose_target, fastest_in, gaps, looks_of, overlap_s, pace, segment
from examples.teacher.timeline import Span, find_spans

_OF_SCENES = ("order_scenes", "next_scene", "count_scenes", "exists_scene")


@dataclass(slots=True)
class Move:
    thought: list[str] = field(default_factory=list)
    segment: Segment | None = None
    answer: str | None = None


def take_turn(chat: Conversation, errors: ErrorModel) -> str:
    """Reply to a conversation. Never fails, on any input."""
    if chat.judge is not None:
        return _judge(chat.judge)
    if chat.question is None:
        return _off_topic(chat)
    player = _Player(chat, errors)
    move = player.move()
    return _with_format_error(_written(move, player.intent, chat, player.rng), move, chat, errors)


class _Player:
    def __init__(self, chat: Conversation, errors: ErrorModel) -> None:
        self.chat, self.errors = chat, errors
        self.intent: Intent = understand(chat.question or "", chat.options)
        self.spans = find_spans(chat.overview, chat.end_s)
        self.rng: random.Random = errors.rng("turn", chat.digest)
        self.careful = chat.asked_to_reflect
        self.hint = chat.last_text[chat.last_text.find("where to look instead.") :][22:90] if self.careful else ""

    def move(self) -> Move:
        kind, chat = self.intent.kind, self.chat
        if kind == "fact":
            return self._know()
        if not self.spans:
            return self._guess(
                "There are no frames to look at." if not chat.overview else "The frames show nothing that I recognise."
            )
        if not chat.zooms and self.errors.errs(0.05, "rash", chat.opening):
            return self._guess("The overview gives an impression, which has to be enough.")
        if kind in _OF_SCENES:
            return self._of_scenes()
        if kind == "where":
            return self._search()
        if kind == "unknown" or not self.intent.looks:
            return self._guess("I do not see what exactly the question asks me to look at.")
        target = choose_target(chat, self.spans, self.intent.looks[0], self.errors, careful=self.careful)
        if target is None:
            if kind == "exists_event" and not self.careful:
                return Move([f"No overview frame shows {words.named(self.intent.looks[0])}."], answer="no")
            return self._guess(f"No frame shows {words.named(self.intent.looks[0])}.")
        return self._border(target) if kind == "when_scene" else self._watch(target)

    def _know(self) -> Move:
        assert self.intent.fact is not None
        thought = self.rng.choice(
            (
                "This can be told without looking closely.",
                "The wording settles this.",
                "General knowledge is enough here.",
            )
        )
        if self.errors.errs(0.04, "fact", self.chat.opening):
            return self._guess(thought)
        return Move([thought, words.concluding(self.rng, self.intent.fact)], answer=self.intent.fact)

    def _guess(self, reason: str) -> Move:
        middle_s = self.chat.end_s / 2
        looks = self.intent.looks
        best = max(self.spans, key=lambda span: span.match(looks[0]), default=None) if looks else None
        if best is not None:
            middle_s = (best.first_s + best.last_s) / 2
        return Move(
            [words.guessing(self.rng, reason)],
            answer=guess(self.intent, self.chat.options, self.chat.how, middle_s, self.rng),
        )

    def _of_scenes(self) -> Move:
        move = from_overview(self.intent, self.spans, self.chat.options, self.rng)
        if move is None or self.errors.errs(0.07, "of scenes", self.chat.opening):
            return self._guess("The overview leaves this open." if move is None else "The scenes are easily mixed up.")
        return Move(*move)

    def _zoom(self, move: Move, start_s: float, end_s: float, fps: float) -> Move:
        move.segment = segment(start_s, end_s, fps, self.chat.budget, self.chat.end_s)
        move.thought.append(words.zooming(self.rng, move.segment.start_s, move.segment.end_s, move.segment.fps))
        return move

    def _watch(self, target: Target) -> Move:
        """Search a scene until the question can be answered."""
        chat, span, move = self.chat, target.span, Move()
        events = read_events(looks_of(chat, span), self.errors, chat.opening)
        open_gaps = gaps(chat, span)
        thorough = patient(self.intent)
        if self.careful and chat.may_zoom:
            return self._look_again(target, events, open_gaps)
        self._report(move, target, events)
        enough = not open_gaps or (bool(chat.zooms) and self.errors.errs(0.1, "enough", chat.digest))
        value = conclude(self.intent, events, complete=bool(chat.zooms) and enough)
        seen_closely = bool(chat.zooms) or self.intent.kind == "stays" or self.errors.errs(0.5, "glimpse", chat.opening)
        if value is not None and (seen_closely or not chat.may_zoom):
            if not chat.zooms and events:
                move.thought.append(words.glimpsed(self.rng, events))
            move.thought.append(words.concluding(self.rng, value))
            move.answer = value
            return move
        if chat.may_zoom and open_gaps and not (enough and chat.zooms):
            rate = pace(chat, span, self.errors, careful=False, patient=thorough)
            start_s, end_s = open_gaps[0]
            if value is not None and events:
                start_s, end_s, rate = events[0].start_s - 2, events[0].end_s + 2, 4.0
            elif chat.zooms and not target.noticed:
                move.thought.append(words.going_on(self.rng, start_s))
            else:
                move.thought.append(words.nothing_yet(self.rng, self._what()))
            return self._zoom(move, start_s, end_s, rate)
        value = conclude(self.intent, events, complete=bool(chat.zooms) or self.intent.kind != "exists_event")
        if value is None:
            reason = (
                "Nothing of the kind was to be seen."
                if chat.zooms
                else "The overview does not show it, and I cannot look closer."
            )
            guessed = self._guess(reason)
            return Move([*move.thought, *guessed.thought], answer=guessed.answer)
        move.thought.append(words.concluding(self.rng, value))
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
        """Describe the result of the last turn; `events` is None if the question is not about events."""
        chat = self.chat
        if target.noticed is not None:
            move.thought.append(words.regret(self.rng, "wrong_place", f"{words.named(target.noticed.look)}", ""))
        last = chat.attempts[-1] if chat.attempts else None
        if last is not None and last.error:
            move.thought.append(
                self.rng.choice(
                    ("That call was not valid.", f"The call failed: {last.error}", "I have to correct the call.")
                )
            )
        if last is None or target.noticed is not None or not last.looks:
            move.thought.append(
                words.overview_finding(
                    self.rng, target.span.look if not target.wrong else self.intent.looks[0], target.span
                )
            )
        elif last.zoom is not None and events is None:
            move.thought.append(
                words.changes(
                    self.rng,
                    [look.time_s for look in last.looks if look.sight.match(*target.span.look) > 0.2],
                    target.span.look,
                )
            )
        elif last.zoom is not None and events is not None:
            within = [event for event in events if last.looks[0].time_s <= event.start_s <= last.looks[-1].time_s]
            move.thought.append(words.zoom_finding(self.rng, within, last.looks[0].time_s, last.looks[-1].time_s))

    def _look_again(self, target: Target, events: list[Seen], open_gaps: list[tuple[float, float]]) -> Move:
        """Reflect: name the fault of the last zoom, then zoom elsewhere or at a higher rate."""
        span, rng, move = target.span, self.rng, Move()
        fps = fastest_in(self.chat, span)
        rate = pace(self.chat, span, self.errors, careful=True, patient=False)
        if target.noticed is not None or not fps:
            wrong = target.noticed or span
            move.thought.append(words.regret(rng, "wrong_place", words.named(wrong.look), self.hint))
            move.thought.append(words.overview_finding(rng, span.look, span))
            return self._zoom(move, *(open_gaps or [(span.low_s, span.high_s)])[0], rate)
        if fps < 1.9:
            move.thought.append(words.regret(rng, "sparse", f"one frame every {1 / fps:.1f} s", self.hint))
            start_s = max(span.low_s, events[0].start_s - 2) if events and not patient(self.intent) else span.low_s
            return self._zoom(move, start_s, span.high_s, rate)
        if open_gaps:
            move.thought.append(words.regret(rng, "partial", words.at(open_gaps[0][0]), self.hint))
            return self._zoom(move, *open_gaps[0], rate)
        unsure = [event for event in events if not event.clear] or events
        middle_s = rng.choice(unsure).start_s if unsure else (span.first_s + span.last_s) / 2
        move.thought.append(words.regret(rng, "misread", words.at(middle_s), self.hint))
        around_s = self.chat.budget / rate / 2
        return self._zoom(move, max(span.low_s, middle_s - around_s), middle_s + around_s, rate)

    def _border(self, target: Target) -> Move:
        """Narrow down the start of a scene between the last frame before it and its first."""
        chat, span, move = self.chat, target.span, Move()
        self._report(move, target, None)
        looks = looks_of(chat, span)
        first_s = min([look.time_s for look in looks], default=span.first_s)
        before_s = max((look.time_s for look in chat.looks if look.time_s < first_s), default=0.0)
        if chat.may_zoom and first_s > 0.3 and (first_s - before_s > 0.6 or self.careful):
            if self.careful:
                move.thought.insert(0, words.regret(self.rng, "misread", words.at(first_s), self.hint))
            start_s = max(0.0, min(before_s, first_s - 1))
            return self._zoom(move, start_s, first_s + 0.5, min(6.0, chat.budget / (first_s + 0.6 - start_s)))
        value = f"{(before_s + first_s) / 2:.1f}" if first_s > 0.3 else "0.0"
        move.thought.append(words.concluding(self.rng, f"{value} s"))
        move.answer = value
        return move

    def _search(self) -> Move:
        """Find the scene in which something appears: one zoom per scene."""
        chat, intent, move = self.chat, self.intent, Move()
        named = [looks[0] for looks in intent.option_looks if looks] or [span.look for span in self.spans]
        best: list[tuple[tuple[str, str], Span]] = [(look, _best_match(self.spans, look)) for look in named]
        order = self.errors.rng("search", chat.opening)
        order.shuffle(best)
        unseen = []
        for look, span in best:
            shown = read_events(looks_of(chat, span), self.errors, chat.opening)
            wanted = [
                e
                for e in shown
                if not intent.glyphs or (e.name == intent.glyphs[0][0] and intent.glyphs[0][1] in ("", e.colour))
            ]
            if wanted and not (self.careful and chat.may_zoom):
                move.thought += [
                    words.zoom_finding(self.rng, wanted, span.first_s, span.last_s),
                    words.concluding(self.rng, words.named(look)),
                ]
                move.answer = words.named(look)
                return move
            covered = any(
                a.zoom
                and overlap_s(a.zoom.start_s, a.zoom.end_s, span.first_s, span.last_s)
                > 0.4 * (span.last_s - span.first_s)
                for a in chat.zooms
            )
            if not covered:
                unseen.append((look, span))
        tired = bool(chat.zooms) and not self.careful and self.errors.errs(0.08, "tired", chat.digest)
        if (
            chat.may_zoom
            and (unseen or self.careful)
            and not tired
            and not (len(unseen) == 1 and len(best) > 1 and not self.careful)
        ):
            look, span = (unseen or best)[0]
            last = chat.attempts[-1].looks if chat.attempts else []
            shown = read_events(last, self.errors, chat.opening)
            if self.careful:
                found = words.listed([words.event_words(event) for event in shown]) or "nothing of interest"
                move.thought.append(words.regret(self.rng, "wrong_place", found, self.hint))
            elif last:
                move.thought.append(words.zoom_finding(self.rng, shown, last[0].time_s, last[-1].time_s))
            move.thought.append(words.overview_finding(self.rng, look, span))
            return self._zoom(move, span.low_s, span.high_s, min(4.0, chat.budget / max(1.0, span.high_s - span.low_s)))
        if len(unseen) == 1:
            move.thought.append(f"The other scenes do not show it, which leaves {words.named(unseen[0][0])}.")
            move.answer = words.named(unseen[0][0])
            return move
        return self._guess("It was not to be seen in any of them.")


def _best_match(spans: Sequence[Span], look: tuple[str, str]) -> Span:
    return max(spans, key=lambda span: span.match(look))


def _written(move: Move, intent: Intent, chat: Conversation, rng: random.Random) -> str:
    """The turn in the protocol's format."""
    thought = f"<think>{' '.join(move.thought)}</think>\n"
    if move.segment is not None:
        start_s, end_s, fps = move.segment.start_s, move.segment.end_s, move.segment.fps
        return f'{thought}<video_zoom>{{"segment": [{start_s:g}, {end_s:g}], "fps": {fps:g}}}</video_zoom>'
    answer = move.answer or ""
    if chat.options and not re.fullmatch(r"[A-Z]", answer):
        answer = to_option(answer, chat.options) or guess(intent, chat.options, chat.how, 0.0, rng)
    return (
        f"{thought}<answer>\\boxed{{{answer}}}</answer>"
        if rng.random() < 0.08
        else f"{thought}<answer>{answer}</answer>"
    )


def _with_format_error(reply: str, move: Move, chat: Conversation, errors: ErrorModel) -> str:
    """Sometimes break the format, as models do."""
    if not errors.errs(0.025, "spoil", chat.digest):
        return reply
    rng = errors.rng("how spoilt", chat.digest)
    if move.segment is None:
        return rng.choice((reply.replace("</answer>", ""), reply.replace("<think>", "").replace("</think>", "")))
    return rng.choice(
        (
            reply.replace("]", ""),
            reply.replace('"fps": ', '"fps": 1'),
            f"<answer>{guess(understand(chat.question or ''), chat.options, chat.how, 0.0, rng)}</answer>\n{reply}",
            reply.replace('"segment"', "segment"),
        )
    )


def _judge(texts: dict[str, str]) -> str:
    """Judge whether two answers mean the same by words, numbers and named looks."""
    expected, given = (re.sub(r"[^a-z0-9. ]+", " ", texts[name].lower()).split() for name in ("expected", "given"))
    small = {"the", "a", "an", "is", "it", "with", "scene"}
    same = [word for word in expected if word not in small] == [word for word in given if word not in small]
    looks = find_looks(texts["expected"].lower()), find_looks(texts["given"].lower())
    return "YES" if same or (looks[0] and looks[0] == looks[1]) else "NO"


def _off_topic(chat: Conversation) -> str:
    """A polite reply to anything outside its domain."""
    seen = (
        "" if not chat.overview else f" The picture I was sent looks like {words.named(chat.overview[0].sight.look)}."
    )
    reply = f"I answer questions about the scenes of a video; I found none in this request.{seen}"
    return f"<think>{reply}</think>\n<answer>unknown</answer>" if "<answer>" in chat.system else reply
