"""A lake of a few rows, for rules that should drop some of them and keep the others."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from builders import row

from filters.copies.film import Film
from filters.rules import RuleResult, load_rules, run_rules
from videozoomer.lake import Lake
from videozoomer.settings.model import FilterSettings


class Rows:
    """Adds rows to a lake; rows with default values pass every rule."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.tables: dict[str, list[dict]] = defaultdict(list)

    def _add(self, table: str, **values: Any) -> dict:
        added = row(table, **values)
        self.tables[table].append(added)
        return added

    def video(
        self,
        video_id: str = "v1",
        *,
        uri: str | None = None,
        status: str = "ok",
        signature: Film | None = None,
        duration_s: float | None = None,
    ) -> dict:
        known = video_id if status == "ok" else None
        for track, hashes in (signature.tracks if signature else {}).items():
            self._add(
                "signatures",
                video_id=video_id,
                track=track,
                pictures=hashes.pictures.astype("<u8").tobytes(),
                motions=hashes.motions.astype("<u8").tobytes(),
            )
        return self._add(
            "videos",
            uri=uri or f"{video_id}.mp4",
            video_id=known,
            source="s",
            batch="s-0001",
            status=status,
            duration_s=duration_s,
        )

    def question(
        self,
        question_id: str = "q1",
        video_id: str = "v1",
        text: str | None = None,
        *,
        answer: str = "red",
        answer_type: str = "text",
        options: tuple[str, ...] = (),
        split: str = "train",
        evidence: tuple[tuple[float, float], ...] = (),
        status: str = "ok",
    ) -> dict:
        return self._add(
            "questions",
            question_id=question_id,
            source="s",
            video_uri=f"{video_id}.mp4",
            split=split,
            question=text or f"What is seen in {question_id}?",
            options=list(options),
            answer=answer,
            answer_type=answer_type,
            evidence=[{"start_s": start, "end_s": end} for start, end in evidence],
            status=status,
        )

    def overview(self, *times_s: float, video_id: str = "v1") -> None:
        for index, time_s in enumerate(times_s):
            self._add(
                "overviews",
                video_id=video_id,
                index=index,
                requested_s=time_s,
                time_s=time_s,
                frame_id=f"f{index}",
                policy="uniform",
            )

    def leak(self, kind: str, train_id: str, evaluation_id: str = "e1") -> None:
        self._add("leaks", kind=kind, train_id=train_id, evaluation_id=evaluation_id, score=1.0)

    def trajectory(
        self,
        trajectory_id: str,
        question_id: str = "q1",
        *,
        kind: str = "exemplar",
        verdict: str | None = "correct",
        hit: bool | None = None,
        status: str = "answered",
        failure: str | None = None,
        well_formed: bool = True,
        zooms: int = 1,
        frames_shown: int = 20,
        max_zooms: int = 4,
        output_tokens: int = 100,
        sample: int = 0,
        turns: tuple[dict, ...] = (),
        video_id: str = "v1",
    ) -> dict:
        """`turns` come from `zoom` and `answer_turn`; reflections need them, other kinds only `zooms`."""
        if turns:
            zooms = sum(turn["action"] == "zoom" for turn in turns)
        if verdict is not None and status != "failed":
            self._add(
                "grades",
                trajectory_id=trajectory_id,
                question_id=question_id,
                batch="s-0001",
                verdict=verdict,
                grader="text-1",
                hit=hit,
            )
        return self._add(
            "trajectories",
            trajectory_id=trajectory_id,
            question_id=question_id,
            video_id=video_id,
            batch="s-0001",
            kind=kind,
            player="teacher",
            sample=sample,
            temperature=1.0,
            max_zooms=max_zooms,
            status=status,
            failure=failure,
            answer="red" if status == "answered" else None,
            turns=[{name: value for name, value in turn.items() if name != "train"} for turn in turns],
            messages=[
                {"role": "user", "train": True, "parts": []},
                *({"role": "assistant", "train": turn["train"], "parts": []} for turn in turns),
            ],
            zooms=zooms,
            frames_shown=frames_shown,
            well_formed=well_formed,
            input_tokens=1,
            output_tokens=output_tokens,
            cost_usd=0.0,
            protocol_version="1",
            prompt_version="v1",
        )

    def probe(
        self,
        item: str,
        probe: str,
        stays_right: bool | None,
        *,
        zoom: int = 0,
        question_id: str = "q1",
        windows: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """A row of table `evidence`."""
        self._add(
            "evidence",
            item=item,
            probe=probe,
            zoom=zoom,
            question_id=question_id,
            batch="s-0001",
            asked=3,
            valid=3,
            correct=3 if stays_right else 0,
            chance=0.25,
            rate=0.8,
            lower=-2.25,
            upper=2.89,
            settled=stays_right is not None,
            stays_right=stays_right,
            windows=[{"start_s": start, "end_s": end} for start, end in windows],
            cost_usd=0.0,
        )

    def save(self) -> Lake:
        for table, rows in self.tables.items():
            self.lake.write(table, rows)
        return self.lake

    def judge(self, **settings: Any) -> Judged:
        return Judged(run_rules(self.save(), FilterSettings(**settings)))


class Judged:
    def __init__(self, result: RuleResult) -> None:
        self.result = result
        self._questions = dict(result.question_stats.select("question_id", "reasons").iter_rows())
        self._trajectories = dict(result.verdicts.select("trajectory_id", "reasons").iter_rows())

    def named(self, rule: str) -> set[str]:
        """Ids of the questions that a question rule drops, or of the trajectories that another reason drops."""
        levels = {rule.name: rule.level for rule in load_rules()}
        of_level = self._questions if levels.get(rule) == "question" else self._trajectories
        return {item for item, reasons in of_level.items() if rule in reasons}

    def outcomes(self) -> dict[str, str]:
        return dict(self.result.verdicts.select("trajectory_id", "outcome").iter_rows())


def zoom(
    start_s: float, end_s: float, fps: float = 2.0, *, train: bool = True, reply: str = "<think>I look closer.</think>"
) -> dict:
    times = [start_s, (start_s + end_s) / 2]
    return _turn("zoom", reply, train) | {
        "start_s": start_s,
        "end_s": end_s,
        "fps": fps,
        "frame_times_s": times,
        "frame_ids": ["a", "b"],
    }


def answer_turn(reply: str = "<think>I see it.</think><answer>red</answer>", *, train: bool = True) -> dict:
    return _turn("answer", reply, train) | {"answer": "red"}


def _turn(action: str, reply: str, train: bool) -> dict:
    names = ("start_s", "end_s", "fps", "answer", "fault", "fault_text", "finish_reason", "call_key")
    return dict.fromkeys(names) | {
        "reply": reply,
        "author": "teacher" if train else "student",
        "action": action,
        "well_formed": True,
        "train": train,
        "frame_ids": [],
        "frame_times_s": [],
    }
