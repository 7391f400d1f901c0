"""Every table of the lake, declared once: writer, reader, checks and documentation come from here."""

from __future__ import annotations

import polars as pl

from videozoomer.lake.schema import Column, Struct, Table

TEXT, INT, FLOAT, BOOL, BYTES = pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.Binary
TEXTS = pl.List(pl.String)

PARTS = Struct(
    "part",
    "a piece of a message: a text, or a frame",
    (
        Column("type", TEXT, "`text` or `image`", values=("text", "image")),
        Column("text", TEXT, "the text; null for an image", required=False),
        Column("frame_id", TEXT, "the frame; null for a text", required=False),
        Column("time_s", FLOAT, "presentation time of the frame in seconds; null for a text", required=False),
    ),
)
PART = PARTS.dtype
MESSAGES = Struct(
    "message",
    "one message of a conversation",
    (
        Column("role", TEXT, "`system`, `user` or `assistant`", values=("system", "user", "assistant")),
        Column("parts", pl.List(PART), "its texts and frames, in order"),
        Column("train", BOOL, "for an assistant message: whether the loss is taken on it"),
    ),
)
MESSAGE = MESSAGES.dtype
TURNS = Struct(
    "turn",
    "one generation and its result",
    (
        Column("reply", TEXT, "the reply, up to and including its first closing zoom tag"),
        Column("author", TEXT, "`policy`, `student` or `teacher`; a reflection has turns of two authors"),
        Column("action", TEXT, "`zoom`, `answer` or `fault`", values=("zoom", "answer", "fault")),
        Column("start_s", FLOAT, "start of the zoomed segment in seconds", required=False),
        Column("end_s", FLOAT, "end of the zoomed segment in seconds, cut at the end of the video", required=False),
        Column("fps", FLOAT, "rate of the zoom in frames per second", required=False),
        Column("answer", TEXT, "the final answer, where the turn gives one", required=False),
        Column("fault", TEXT, "kind of fault, from the list in videozoomer/protocol/parsing.py", required=False),
        Column("fault_text", TEXT, "the sentence about the fault that the player reads", required=False),
        Column("well_formed", BOOL, "whether the reply follows the format exactly"),
        Column("finish_reason", TEXT, "why generation ended, as the server reports it", required=False),
        Column("frame_ids", TEXTS, "frames that the zoom returned, in order"),
        Column("frame_times_s", pl.List(FLOAT), "their presentation times in seconds"),
        Column("call_key", TEXT, "ledger key of the call that produced the reply", required=False),
    ),
)
TURN = TURNS.dtype
WINDOWS = Struct(
    "window",
    "a span of a video",
    (Column("start_s", FLOAT, "start in seconds"), Column("end_s", FLOAT, "end in seconds")),
)
WINDOW = WINDOWS.dtype

STRUCTS: tuple[Struct, ...] = (PARTS, MESSAGES, TURNS, WINDOWS)
"""Nested values of columns; each comes after those it contains."""

FILES = Table(
    "files",
    "one file that a source offers, unopened",
    ("uri",),
    (
        Column("uri", TEXT, "path or fsspec URL"),
        Column("source", TEXT, "name of the source in the recipe"),
        Column("batch", TEXT, "ingest batch (partition) it belongs to, for good"),
        Column("bytes", INT, "size; 0 where the store does not say"),
        Column("modified", TEXT, "time of change or entity tag, as the store gives it"),
    ),
)
VIDEOS = Table(
    "videos",
    "one file that was offered, readable or not",
    ("uri",),
    (
        Column("uri", TEXT, "path or fsspec URL as the source names it"),
        Column("video_id", TEXT, "hash of the content; null where nothing could be read", required=False),
        Column("source", TEXT, "name of the source in the recipe"),
        Column("batch", TEXT, "ingest batch (partition) the file belongs to"),
        Column("status", TEXT, "`ok`, or `quarantined`: left out, with a reason"),
        Column(
            "reason", TEXT, "why it is quarantined, from the list in videozoomer/video/preflight.py", required=False
        ),
        Column("detail", TEXT, "the reason in a sentence, with what to do", required=False),
        Column("container", TEXT, "container format", required=False),
        Column("codec", TEXT, "video codec", required=False),
        Column("width", INT, "displayed width in pixels (rotated, square pixels)", required=False),
        Column("height", INT, "displayed height in pixels (rotated, square pixels)", required=False),
        Column("duration_s", FLOAT, "from the first frame shown to the end of the last, in seconds", required=False),
        Column("average_fps", FLOAT, "frames over duration", required=False),
        Column("variable_rate", BOOL, "whether the spacing of frames varies", required=False),
        Column("frames", INT, "frames decoded", required=False),
        Column("bytes", INT, "size of the file", required=False),
        Column("has_audio", BOOL, "whether there is an audio stream", required=False),
        Column("keyframes_s", pl.List(FLOAT), "times of the keyframes in seconds", required=False),
        Column(
            "signature", pl.List(pl.UInt64), "64-bit perceptual hashes of frames at one-second spacing", required=False
        ),
    ),
)
SHOTS = Table(
    "shots",
    "one shot of a video",
    ("video_id", "index"),
    (
        Column("video_id", TEXT, "the video"),
        Column("index", INT, "0 for the first shot"),
        Column("start_s", FLOAT, "time of the first frame of the shot, in seconds"),
        Column("end_s", FLOAT, "time of the first frame of the next shot, or the end, in seconds"),
        Column(
            "score", FLOAT, "detector's score of the cut that begins the shot; null where it gives none", required=False
        ),
        Column("detector", TEXT, "detectors, version and parameters"),
    ),
)
OVERVIEWS = Table(
    "overviews",
    "one frame of a video's overview (the glance)",
    ("video_id", "index"),
    (
        Column("video_id", TEXT, "the video"),
        Column("index", INT, "position in the overview, from 0"),
        Column("requested_s", FLOAT, "time asked for, in seconds"),
        Column("time_s", FLOAT, "presentation time of the frame returned, in seconds"),
        Column("frame_id", TEXT, "the frame"),
        Column("policy", TEXT, "how the times were chosen (uniform, shot_aware)"),
    ),
)
FRAMES = Table(
    "frames",
    "one encoded frame, stored once however often it is shown",
    ("frame_id",),
    (
        Column("frame_id", TEXT, "hash of the JPEG's bytes"),
        Column("video_id", TEXT, "the video"),
        Column("time_s", FLOAT, "presentation time in seconds"),
        Column("width", INT, "pixels"),
        Column("height", INT, "pixels"),
        Column("jpeg", BYTES, "the bytes that are sent, trained on and shown"),
    ),
)
QUESTIONS = Table(
    "questions",
    "one question about one video",
    ("question_id",),
    (
        Column("question_id", TEXT, "the user's id, or a hash of video, question and options"),
        Column("source", TEXT, "name of the source in the recipe"),
        Column("video_uri", TEXT, "the video as the question file names it, resolved"),
        Column("split", TEXT, "`train` or `evaluation`; every question of a video has the same"),
        Column("question", TEXT, "the question"),
        Column("options", TEXTS, "options of a multiple choice, in order; empty for an open question"),
        Column("answer", TEXT, "the right answer; a letter for a multiple choice"),
        Column("answer_type", TEXT, "`choice`, `number`, `time`, `yes_no`, `order` or `text`"),
        Column("topic", TEXT, "kind of question, for breakdowns", required=False),
        Column("evidence", pl.List(WINDOW), "windows in which the answer is seen, in seconds; empty where unknown"),
        Column("status", TEXT, "`ok`, or `quarantined`: left out, with a reason"),
        Column("reason", TEXT, "why it is quarantined", required=False),
    ),
)
TRAJECTORIES = Table(
    "trajectories",
    "one episode: a question played to its end by one player",
    ("trajectory_id",),
    (
        Column("trajectory_id", TEXT, "hash of question, kind, player, sample, versions and parent"),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video"),
        Column("batch", TEXT, "ingest batch of the video"),
        Column("kind", TEXT, "`exemplar`, `student`, `reflection`, `probe`, `evaluation` or `rollout` (of RL)"),
        Column("player", TEXT, "model that played"),
        Column("sample", INT, "sample number, from 0"),
        Column("temperature", FLOAT, "sampling temperature"),
        Column("max_zooms", INT, "zooms allowed; 0 plays the overview alone, or blind where no frame was shown"),
        Column(
            "status",
            TEXT,
            "`answered`, `exhausted` (rounds used up, no answer) or `failed` (could not be done; may be tried again)",
        ),
        Column("failure", TEXT, "class of the error where failed", required=False),
        Column("answer", TEXT, "final answer as given", required=False),
        Column("turns", pl.List(TURN), "every generation and what came of it"),
        Column("messages", pl.List(MESSAGE), "the whole conversation, frames by id"),
        Column("zooms", INT, "zooms that returned frames"),
        Column("frames_shown", INT, "frames of the overview and of all zooms"),
        Column("well_formed", BOOL, "whether every turn followed the format to the letter"),
        Column("input_tokens", INT, "tokens sent, over all calls, as the server counted"),
        Column("output_tokens", INT, "tokens generated"),
        Column("cost_usd", FLOAT, "cost at the recipe's prices, whether paid now or replayed"),
        Column("parent_id", TEXT, "for a reflection: the failed trajectory", required=False),
        Column("protocol_version", TEXT, "version of the zoom protocol"),
        Column("prompt_version", TEXT, "version of the prompt files"),
    ),
    row="trajectory",
)
GRADES = Table(
    "grades",
    "one trajectory's answer held against the truth",
    ("trajectory_id",),
    (
        Column("trajectory_id", TEXT, "the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("batch", TEXT, "ingest batch of the video"),
        Column("verdict", TEXT, "`correct`, `wrong` or `unknown` (could not be judged; never the same as wrong)"),
        Column("grader", TEXT, "grader and version"),
        Column("detail", TEXT, "what was compared", required=False),
        Column(
            "hit",
            BOOL,
            "whether a zoom returned a frame inside a window of known evidence; null where none is known",
            required=False,
        ),
        Column(
            "best_iou", FLOAT, "best intersection over union of a zoom with a window of known evidence", required=False
        ),
    ),
)
VERDICTS = Table(
    "verdicts",
    "one trajectory kept or not, with every reason",
    ("trajectory_id",),
    (
        Column("trajectory_id", TEXT, "the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video"),
        Column("kind", TEXT, "kind of trajectory"),
        Column("outcome", TEXT, "`kept`, `rejected` (looked at and found wanting) or `failed` (could not be done)"),
        Column("reasons", TEXTS, "names of the rules that dropped it; empty where kept"),
    ),
)
QUESTION_STATS = Table(
    "question_stats",
    "what is known of a question after its exemplars were graded",
    ("question_id",),
    (
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video; null where it is missing or could not be read", required=False),
        Column("split", TEXT, "`train` or `evaluation`"),
        Column("samples", INT, "exemplars asked for"),
        Column("valid", INT, "exemplars that came to a judged end"),
        Column("correct", INT, "exemplars that were right"),
        Column("pass_rate", FLOAT, "correct over valid; null where none is valid", required=False),
        Column(
            "answered_without_video",
            BOOL,
            "whether every probe without frames was right; null where not probed",
            required=False,
        ),
        Column(
            "answered_from_overview",
            BOOL,
            "whether a probe without zoom was right; null where not probed",
            required=False,
        ),
        Column("reasons", TEXTS, "names of the rules that drop the question; empty where kept"),
    ),
    row="question_stats",
)
FUNNEL = Table(
    "funnel",
    "one step of the way from all that was asked to what is kept",
    ("stage", "kind", "reason"),
    (
        Column("stage", TEXT, "`asked`, `failed`, `rejected` or `kept`"),
        Column("kind", TEXT, "kind of trajectory, or `question`"),
        Column("reason", TEXT, "rule or error class; empty for `asked` and `kept`"),
        Column("rows", INT, "how many"),
    ),
)
LEAKS = Table(
    "leaks",
    "one training item found in an evaluation set",
    ("kind", "train_id", "evaluation_id"),
    (
        Column("kind", TEXT, "`video_id`, `video_signature` or `question_text`"),
        Column("train_id", TEXT, "video or question on the training side"),
        Column("evaluation_id", TEXT, "video or question on the evaluation side"),
        Column("score", FLOAT, "likeness, 1.0 for the same"),
    ),
)
EVALUATIONS = Table(
    "evaluations",
    "one player's score on one setting",
    ("player", "setting", "metric", "slice"),
    (
        Column("player", TEXT, "model that played"),
        Column("setting", TEXT, "`zoom`, `overview` (no zoom allowed) or `blind` (no frames)"),
        Column("metric", TEXT, "accuracy, hit_rate, zooms, frames, ..."),
        Column("slice", TEXT, "`all`, or a topic"),
        Column("value", FLOAT, "the figure; null where no question could be judged", required=False),
        Column("low", FLOAT, "lower end of the 95% bootstrap interval", required=False),
        Column("high", FLOAT, "upper end of the 95% bootstrap interval", required=False),
        Column("questions", INT, "questions it rests on"),
        Column("unknown", INT, "questions that could not be judged or failed, left out of the value"),
    ),
)

CATALOG: dict[str, Table] = {
    table.name: table
    for table in (
        FILES,
        VIDEOS,
        SHOTS,
        OVERVIEWS,
        FRAMES,
        QUESTIONS,
        TRAJECTORIES,
        GRADES,
        VERDICTS,
        QUESTION_STATS,
        FUNNEL,
        LEAKS,
        EVALUATIONS,
    )
}
"""Table name -> declaration."""
