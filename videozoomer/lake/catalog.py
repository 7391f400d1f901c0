"""Every table of the lake, declared once: the writer, the reader, checks, typed rows and docs/tables.md use this."""

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
    "one file that a source lists, not opened yet",
    ("uri",),
    (
        Column("uri", TEXT, "path or fsspec URL"),
        Column("source", TEXT, "name of the source in the recipe"),
        Column("batch", TEXT, "ingest batch (partition) of the file; it never changes"),
        Column("bytes", INT, "size; 0 if the store does not report it"),
        Column("modified", TEXT, "modification time or entity tag, as the store reports it"),
    ),
)
VIDEOS = Table(
    "videos",
    "one listed file after it was read, readable or not",
    ("uri",),
    (
        Column("uri", TEXT, "path or fsspec URL"),
        Column("video_id", TEXT, "hash of the content; null if nothing could be read", required=False),
        Column("source", TEXT, "name of the source in the recipe"),
        Column("batch", TEXT, "ingest batch (partition) of the file"),
        Column("status", TEXT, "`ok`, or `quarantined` (left out, with a reason)"),
        Column(
            "reason",
            TEXT,
            "why it is quarantined, one of the reasons in videozoomer/video/preflight.py",
            required=False,
        ),
        Column(
            "detail",
            TEXT,
            "the reason in one sentence, with what to do; for a salvaged film, how much of it cannot be read, and why",
            required=False,
        ),
        Column("container", TEXT, "container format", required=False),
        Column("codec", TEXT, "video codec", required=False),
        Column("width", INT, "displayed width in pixels, after rotation and with square pixels", required=False),
        Column("height", INT, "displayed height in pixels, after rotation and with square pixels", required=False),
        Column("duration_s", FLOAT, "seconds from the first frame to the end of the last", required=False),
        Column(
            "unreadable_s",
            FLOAT,
            "seconds of it in bad spans; null if the whole film can be read",
            required=False,
        ),
        Column("average_fps", FLOAT, "frames per second, averaged over the duration", required=False),
        Column("variable_rate", BOOL, "whether the time between frames varies", required=False),
        Column("frames", INT, "number of decoded frames", required=False),
        Column("bytes", INT, "size of the file in bytes", required=False),
        Column("has_audio", BOOL, "whether the file has an audio stream", required=False),
        Column("bit_depth", INT, "bits of a stored colour component", required=False),
        Column(
            "transfer",
            TEXT,
            "transfer function by FFmpeg's name, such as `bt709`, `smpte2084` (PQ) or `arib-std-b67` (HLG); null if "
            "the file does not say",
            required=False,
        ),
        Column("primaries", TEXT, "colour primaries by FFmpeg's name; null if the file does not say", required=False),
        Column("matrix", TEXT, "colour matrix by FFmpeg's name; null if the file does not say", required=False),
        Column("start_offset_s", FLOAT, "time of the first frame on the container's own clock", required=False),
        Column("video_streams", INT, "number of video streams in the file, cover pictures included", required=False),
        Column(
            "stream_index", INT, "position of the video stream that is read among all streams, from 0", required=False
        ),
        Column("keyframes_s", pl.List(FLOAT), "presentation times of the keyframes in seconds", required=False),
    ),
)
SIGNATURES = Table(
    "signatures",
    "one track of a video's signature, by which copies of the video are found",
    ("video_id", "track"),
    (
        Column("video_id", TEXT, "the video"),
        Column(
            "track",
            TEXT,
            "part of the picture: `whole`, `trimmed` of its borders, its centre at 4:3 (`four_three`), or 80% of it "
            "(`centre`)",
            values=("whole", "trimmed", "four_three", "centre"),
        ),
        Column("pictures", BYTES, "64-bit hashes of four pictures a second, as little-endian integers"),
        Column("motions", BYTES, "64-bit hashes of what moves in the same pictures, as little-endian integers"),
    ),
)
BAD_SPANS = Table(
    "bad_spans",
    "one span of a damaged video in which no frame can be read with certainty",
    ("video_id", "index"),
    (
        Column("video_id", TEXT, "the video"),
        Column("index", INT, "position in the video, from 0"),
        Column("start_s", FLOAT, "where the last certain frame before it ends, in seconds"),
        Column("end_s", FLOAT, "time of the first certain frame after it, or the end of the video, in seconds"),
        Column(
            "reason",
            TEXT,
            "`damaged` (packets that cannot be decoded with certainty), `missing` (no packet was found), `cut_off` "
            "(the file ends before it) or `times_not_increasing` (after a join, where times run back)",
        ),
        Column("packets", INT, "video packets in it that were found and cannot be used"),
    ),
)
SHOTS = Table(
    "shots",
    "one shot of a video",
    ("video_id", "index"),
    (
        Column("video_id", TEXT, "the video"),
        Column("index", INT, "position in the video, from 0"),
        Column("start_s", FLOAT, "time of its first frame in seconds"),
        Column("end_s", FLOAT, "time of the next shot's first frame, or the end of the video, in seconds"),
        Column(
            "score", FLOAT, "the detector's score of the cut before the shot; null if it gives none", required=False
        ),
        Column("detector", TEXT, "the detectors, their version and parameters"),
    ),
)
OVERVIEWS = Table(
    "overviews",
    "one frame of a video's overview (the glance)",
    ("video_id", "index"),
    (
        Column("video_id", TEXT, "the video"),
        Column("index", INT, "position in the overview, from 0"),
        Column("requested_s", FLOAT, "requested time in seconds"),
        Column("time_s", FLOAT, "presentation time of the returned frame in seconds"),
        Column("frame_id", TEXT, "the frame"),
        Column("policy", TEXT, "how the times were chosen, `uniform` or `shot_aware`"),
    ),
)
FRAMES = Table(
    "frames",
    "one encoded frame, stored once no matter how often it is shown",
    ("frame_id",),
    (
        Column("frame_id", TEXT, "hash of the JPEG"),
        Column("video_id", TEXT, "the video"),
        Column("time_s", FLOAT, "presentation time in seconds"),
        Column("width", INT, "width in pixels"),
        Column("height", INT, "height in pixels"),
        Column("jpeg", BYTES, "the JPEG that players, training and pages use"),
    ),
)
QUESTIONS = Table(
    "questions",
    "one question about one video",
    ("question_id",),
    (
        Column("question_id", TEXT, "name of the source, and the user's id or a hash of video, question and options"),
        Column("source", TEXT, "name of the source in the recipe"),
        Column(
            "video_uri",
            TEXT,
            "the video's path or URL; as the question file names it if no video of the source matches",
        ),
        Column("split", TEXT, "`train` or `evaluation`, the same for all questions of a source"),
        Column("question", TEXT, "the question"),
        Column("options", TEXTS, "options of a multiple-choice question, in order; empty for an open question"),
        Column("answer", TEXT, "the correct answer; a letter for a multiple-choice question"),
        Column("answer_type", TEXT, "`choice`, `number`, `time`, `yes_no`, `order` or `text`"),
        Column("topic", TEXT, "kind of question, for metrics by topic", required=False),
        Column("evidence", pl.List(WINDOW), "windows of the video that show the answer; empty if unknown"),
        Column("status", TEXT, "`ok`, or `quarantined` (left out, with a reason)"),
        Column("reason", TEXT, "why it is quarantined", required=False),
    ),
)
TRAJECTORIES = Table(
    "trajectories",
    "one episode: a question played to the end by one player",
    ("trajectory_id",),
    (
        Column(
            "trajectory_id", TEXT, "hash of question, kind, player, sample, protocol and prompt versions, and parent"
        ),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video"),
        Column("batch", TEXT, "ingest batch of the video"),
        Column(
            "kind",
            TEXT,
            "`exemplar`, `student`, `reflection`, `probe`, `evidence` (a probe of another trajectory), `evaluation` or "
            "`rollout` (RL)",
        ),
        Column("player", TEXT, "name of the model that played"),
        Column(
            "served_models",
            TEXTS,
            "models that the replies name: a gateway may have chosen another than the player; null if none is named",
            required=False,
        ),
        Column("sample", INT, "sample number, from 0"),
        Column("temperature", FLOAT, "sampling temperature"),
        Column("max_zooms", INT, "maximum zooms; with 0 the player has the overview alone, or no frame at all (blind)"),
        Column(
            "status",
            TEXT,
            "`answered`, `exhausted` (rounds used up without answer) or `failed` (could not be played; may be retried)",
        ),
        Column("failure", TEXT, "class of the error if it failed", required=False),
        Column("answer", TEXT, "the final answer, unchanged", required=False),
        Column("turns", pl.List(TURN), "every generation with its result"),
        Column(
            "as_written",
            TEXTS,
            "for each turn the reply as its author wrote it, where it was not to the letter and `turns` and `messages` "
            "have what it means; empty for a turn to the letter, null if all are",
            required=False,
        ),
        Column("messages", pl.List(MESSAGE), "the complete conversation, with frames by id"),
        Column("zooms", INT, "number of zooms that returned frames"),
        Column("frames_shown", INT, "number of frames in the overview and all zooms"),
        Column("well_formed", BOOL, "whether every turn follows the format exactly"),
        Column("input_tokens", INT, "tokens sent in all calls, as the server counts them"),
        Column("output_tokens", INT, "tokens generated in all calls"),
        Column("cost_usd", FLOAT, "US dollars at the recipe's prices, also for calls replayed from the ledger"),
        Column(
            "parent_id",
            TEXT,
            "for a reflection, the failed trajectory; for `evidence`, the probed one",
            required=False,
        ),
        Column("protocol_version", TEXT, "version of the protocol"),
        Column("prompt_version", TEXT, "version of the prompt files"),
    ),
    row="trajectory",
)
GRADES = Table(
    "grades",
    "the grade of one trajectory's answer",
    ("trajectory_id",),
    (
        Column("trajectory_id", TEXT, "the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("batch", TEXT, "ingest batch of the video"),
        Column("verdict", TEXT, "`correct`, `wrong`, or `unknown` (could not be judged, which is not wrong)"),
        Column("grader", TEXT, "the grader and its version"),
        Column("detail", TEXT, "what was compared, in one sentence", required=False),
        Column(
            "hit",
            BOOL,
            "whether a zoom returned a frame inside an evidence window; null if no evidence is known",
            required=False,
        ),
        Column(
            "best_iou",
            FLOAT,
            "best intersection over union of a zoom and an evidence window; null if no evidence is known",
            required=False,
        ),
    ),
)
EVIDENCE = Table(
    "evidence",
    "one probe of a trajectory's evidence, or of a question without frames, with its numbers",
    ("item", "probe", "zoom"),
    (
        Column("item", TEXT, "the probed trajectory; for `blind`, the question"),
        Column("probe", TEXT, "`blind`, `sufficiency`, `shuffled`, `elsewhere` or `leave_one_out`"),
        Column("zoom", INT, "for `leave_one_out`, the zoom that is left out, from 1; 0 for the others"),
        Column("question_id", TEXT, "the question"),
        Column("batch", TEXT, "ingest batch of the video"),
        Column("asked", INT, "answers that were asked for"),
        Column("valid", INT, "answers that were judged"),
        Column("correct", INT, "answers that were right"),
        Column("chance", FLOAT, "probability that a guess is right"),
        Column("rate", FLOAT, "share of right answers that is told from guessing"),
        Column(
            "log_ratio", FLOAT, "log of how much likelier the answers are at `rate` than at `chance`", required=False
        ),
        Column("lower", FLOAT, "bound of `log_ratio` below which the answers are guesses"),
        Column("upper", FLOAT, "bound of `log_ratio` from which they are not"),
        Column("settled", BOOL, "whether a bound was reached within the recipe's `max_samples`"),
        Column(
            "stays_right",
            BOOL,
            "whether the answers are shown to be right more than by chance (`log_ratio` reached `upper`); null if none "
            "could be asked or judged",
            required=False,
        ),
        Column("windows", pl.List(WINDOW), "segments of the film whose frames the first answer saw"),
        Column("cost_usd", FLOAT, "US dollars of its calls at the recipe's prices"),
        Column("detail", TEXT, "why it could not be asked", required=False),
    ),
)
VERDICTS = Table(
    "verdicts",
    "the decision about one trajectory, with every reason",
    ("trajectory_id",),
    (
        Column("trajectory_id", TEXT, "the trajectory"),
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video"),
        Column("kind", TEXT, "kind of trajectory"),
        Column("outcome", TEXT, "`kept`, `rejected` (judged and not good enough) or `failed` (could not be played)"),
        Column("reasons", TEXTS, "names of the rules that rejected it; empty if it is kept"),
    ),
)
QUESTION_STATS = Table(
    "question_stats",
    "what the graded exemplars and probes say about a question",
    ("question_id",),
    (
        Column("question_id", TEXT, "the question"),
        Column("video_id", TEXT, "the video; null if it is missing or could not be read", required=False),
        Column("split", TEXT, "`train` or `evaluation`"),
        Column("samples", INT, "number of requested exemplars"),
        Column("valid", INT, "number of exemplars whose answer was judged"),
        Column("correct", INT, "number of correct exemplars"),
        Column("pass_rate", FLOAT, "correct divided by valid; null if none is valid", required=False),
        Column(
            "answered_without_video",
            BOOL,
            "whether every probe without frames was correct; null if not probed",
            required=False,
        ),
        Column(
            "answered_from_overview",
            BOOL,
            "whether any probe without zoom was correct; null if not probed",
            required=False,
        ),
        Column("chance", FLOAT, "probability that a guess is right", required=False),
        Column(
            "chance_p",
            FLOAT,
            "probability that guesses are right as often as the exemplars; null if none is valid",
            required=False,
        ),
        Column(
            "found_evidence",
            pl.List(WINDOW),
            "segments that sufficed to answer it, found by probes of its trajectories; null or empty if none is known",
            required=False,
        ),
        Column("reasons", TEXTS, "names of the rules that reject the question; empty if it is kept"),
    ),
    row="question_stats",
)
FUNNEL = Table(
    "funnel",
    "a number of items with one outcome and reason, from everything requested to what is kept",
    ("stage", "kind", "reason"),
    (
        Column("stage", TEXT, "`asked` (requested), `failed`, `rejected` or `kept`"),
        Column("kind", TEXT, "kind of trajectory, or `question`"),
        Column("reason", TEXT, "rule or class of error; empty for `asked` and `kept`"),
        Column("rows", INT, "number of items"),
    ),
)
BALANCE = Table(
    "balance",
    "how many items have one value of a trait before and after one rule",
    ("kind", "place", "trait", "value"),
    (
        Column("kind", TEXT, "kind of trajectory, `question` (of the train split) or `evaluation` (its questions)"),
        Column("place", INT, "place of the rule in their order; the first reason to drop an item counts"),
        Column(
            "rule",
            TEXT,
            "the rule, `failed` (could not be played), `all rules` (from everything asked to what is kept) or `chance` "
            "(from what chance gives to what is kept)",
        ),
        Column(
            "trait",
            TEXT,
            "`letter` of the right option, whether the `longest` option is the right one, `topic`, `film`, `type` of "
            "the answer, `zooms`, `duration` of the film, `language` of the question or of the last thought, or "
            "`pass_rate` of the question",
        ),
        Column("value", TEXT, "one value of the trait"),
        Column("before", INT, "items with it before the rule; for `chance`, as many as chance gives"),
        Column("after", INT, "items with it after the rule"),
    ),
    row="balance",
)
SHIFTS = Table(
    "shifts",
    "the test whether one rule shifts one trait",
    ("kind", "place", "trait"),
    (
        Column("kind", TEXT, "as in table `balance`"),
        Column("place", INT, "as in table `balance`"),
        Column("rule", TEXT, "as in table `balance`"),
        Column("trait", TEXT, "as in table `balance`"),
        Column("before", INT, "items with a known value before the rule"),
        Column("after", INT, "items with a known value after the rule"),
        Column("units", INT, "different questions before the rule; different films for `film` and `duration`"),
        Column(
            "effect",
            FLOAT,
            "Cohen's w between the shares before and after; null if there is too little to test",
            required=False,
        ),
        Column(
            "chi_square",
            FLOAT,
            "Pearson's chi-square of dropped and remaining items by value, divided by the mean number of items of a "
            "unit",
            required=False,
        ),
        Column("degrees", INT, "its degrees of freedom", required=False),
        Column(
            "p_value", FLOAT, "chance of a chi-square as large if the rule dropped all values alike", required=False
        ),
        Column("warning", TEXT, "a sentence with the numbers where the shift is certain and large", required=False),
    ),
)
LEAKS = Table(
    "leaks",
    "one training item that an evaluation set contains too",
    ("kind", "train_id", "evaluation_id"),
    (
        Column("kind", TEXT, "`video_id`, `video_signature` or `question_text`"),
        Column("train_id", TEXT, "video or question of the training split"),
        Column("evaluation_id", TEXT, "video or question of the evaluation split"),
        Column("score", FLOAT, "likeness from 0 to 1; 1 means identical"),
    ),
)
COPIES = Table(
    "copies",
    "a training video and an evaluation video that show the same for some time",
    ("pair_id",),
    (
        Column("pair_id", TEXT, "hash of both videos' ids, by which a review names the pair"),
        Column("train_id", TEXT, "video of the training split"),
        Column("evaluation_id", TEXT, "video of the evaluation split"),
        Column(
            "status",
            TEXT,
            "`copy` (a leak), `listed` (a near miss for a person to look at), `confirmed` or `refused` (by a person)",
            values=("copy", "listed", "confirmed", "refused"),
        ),
        Column("evidence", FLOAT, "natural logarithm of how much likelier the matches are in a copy than by chance"),
        Column("share", FLOAT, "share of the shorter video's time that the other one shows"),
        Column("length_s", FLOAT, "seconds that both show"),
        Column("shift_s", FLOAT, "the evaluation video shows at shift_s + speed * t what the training one shows at t"),
        Column("speed", FLOAT, "above 1, the training video plays faster"),
        Column("mirrored", BOOL, "whether one is the other mirrored left to right"),
        Column("train_track", TEXT, "track of the training video that matches, of table `signatures`"),
        Column("evaluation_track", TEXT, "track of the evaluation video that matches"),
        Column("basis", TEXT, "hashes that prove most: `pictures` or `motions`", values=("pictures", "motions")),
    ),
    row="copy",
)
COMPARED = Table(
    "compared",
    "a video whose pairs with all of the other side are in table `copies` as far as they are alike",
    ("side", "video_id"),
    (
        Column("side", TEXT, "`train` or `evaluation`", values=("train", "evaluation")),
        Column("video_id", TEXT, "the video"),
        Column("signature", TEXT, "hash of its signature when it was compared"),
        Column("rules", TEXT, "version of the comparison and of the settings that it used"),
    ),
    row="compared",
)
QUESTION_LEAKS = Table(
    "question_leaks",
    "one pair of a training question and an evaluation question that are alike",
    ("train_id", "evaluation_id"),
    (
        Column("train_id", TEXT, "question of the training split"),
        Column(
            "evaluation_id",
            TEXT,
            "question of the evaluation split; of `filters.evaluation_questions`, the file and the question in it. One "
            "stands for several that say the same",
        ),
        Column("pair_id", TEXT, "hash of both contents: what a person's decision is about"),
        Column("train_content", TEXT, "hash of the training question's wording, options and answer"),
        Column("evaluation_content", TEXT, "hash of the evaluation question's wording, options and answer"),
        Column("evaluation_set", TEXT, "source or file of the evaluation question"),
        Column(
            "status",
            TEXT,
            "`verdict` and `confirmed` (by a person) are leaks; `listed` waits for a person; `refused` is none",
            values=("verdict", "listed", "confirmed", "refused"),
        ),
        Column(
            "rule",
            TEXT,
            "what is alike besides the answer: `equal` words and options, rare or equal `options`, a rare `answer`, or "
            "`words` alone",
            values=("equal", "options", "answer", "words"),
        ),
        Column("score", FLOAT, "share of the words in common, weighted by rarity, of the question with less weight"),
        Column("template", BOOL, "whether the same is asked elsewhere with another answer, so that it proves little"),
        Column("film_evidence", BOOL, "whether the two films are the same or copies"),
        Column("shared_words", TEXTS, "words in common, in the form in which they are compared"),
        Column("shared_options", INT, "options in common"),
    ),
)
EVALUATIONS = Table(
    "evaluations",
    "one metric of one player in one condition",
    ("player", "setting", "metric", "slice"),
    (
        Column("player", TEXT, "name of the model that played"),
        Column("setting", TEXT, "condition: `zoom`, `overview` (no zoom allowed) or `blind` (no frames)"),
        Column("metric", TEXT, "name of the metric, such as accuracy, hit_rate, zooms or frames"),
        Column("slice", TEXT, "`all` questions, or one topic"),
        Column("value", FLOAT, "value of the metric; null if no question could be judged", required=False),
        Column("low", FLOAT, "lower end of the 95% bootstrap interval", required=False),
        Column("high", FLOAT, "upper end of the 95% bootstrap interval", required=False),
        Column("questions", INT, "number of questions behind the value"),
        Column("unknown", INT, "number of questions left out because they failed or could not be judged"),
    ),
)
REVIEWS = Table(
    "reviews",
    "one decision of a person; a later one of the same slot replaces it",
    ("subject", "key", "decision", "who", "at"),
    (
        Column("subject", TEXT, "what it is about: `trajectory`, `question` or `pair` (of a leak)"),
        Column("key", TEXT, "id of the trajectory, of the question, or of the pair (a hash of both sides)"),
        Column(
            "decision",
            TEXT,
            "`keep`, `drop`, `clear` (takes them back), `answer` (a corrected key), `leak`, `no_leak`, `judged` "
            "(blindly), `tag`, `untag` or `note`",
        ),
        Column(
            "value",
            TEXT,
            "the tag, the note, the judgement (`good`, `bad`, `unsure`), or of a corrected key the answers before and "
            "after as JSON (`from`, `to`)",
            required=False,
        ),
        Column("who", TEXT, "name of the person"),
        Column("at", TEXT, "when, in UTC with microseconds"),
        Column("content", TEXT, "hash of what the person saw; the decision holds for it alone"),
    ),
)

CATALOG: dict[str, Table] = {
    table.name: table
    for table in (
        FILES,
        VIDEOS,
        SIGNATURES,
        BAD_SPANS,
        SHOTS,
        OVERVIEWS,
        FRAMES,
        QUESTIONS,
        TRAJECTORIES,
        GRADES,
        EVIDENCE,
        VERDICTS,
        QUESTION_STATS,
        FUNNEL,
        BALANCE,
        SHIFTS,
        LEAKS,
        COPIES,
        COMPARED,
        QUESTION_LEAKS,
        EVALUATIONS,
        REVIEWS,
    )
}
"""Table name -> declaration."""
