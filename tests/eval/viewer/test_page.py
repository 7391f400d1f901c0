import base64
import json
from html.parser import HTMLParser

import polars as pl
import pytest
from lake_fixture import write_lake

from eval.viewer.page import write_viewer
from eval.viewer.select import choose, summaries
from videozoomer.lake.lake import Lake
from videozoomer.protocol.frame_id import frame_id_of

VOID = {"meta", "input", "img", "br"}


class Page(HTMLParser):
    """Checks that tags nest and keeps the text of script elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: dict[str | None, str] = {}
        self.attributes: list[tuple[str, str, str | None]] = []
        self._script: str | None = None
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self._script = dict(attrs).get("id")
            self.scripts[self._script] = ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] == "script":
            self.scripts[self._script] += text

    @property
    def data(self) -> dict:
        return json.loads(self.scripts["data"])


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return write_lake(tmp_path_factory.mktemp("world"), width=64).lake


def page(lake: Lake, folder, **options) -> Page:
    return Page(write_viewer(lake, folder / "report" / "trajectories.html", **options).read_text())


def test_everything_in_the_tables_is_on_the_page(lake, tmp_path):
    data = page(lake, tmp_path).data
    rows = {row["trajectory_id"]: row for row in lake.read("trajectories").to_dicts()}
    assert len(data["trajectories"]) == len(rows) == len({t["id"] for t in data["trajectories"]})
    stored = dict(lake.read("frames").select("frame_id", "jpeg").iter_rows())
    for trajectory in data["trajectories"]:
        row = rows[trajectory["id"]]
        assert [turn["reply"] for turn in trajectory["turns"]] == [turn["reply"] for turn in row["turns"]]
        assert [[f for f, _ in turn["frames"]] for turn in trajectory["turns"]] == [
            turn["frame_ids"] for turn in row["turns"]
        ]
        sent = [part["frame_id"] for message in row["messages"] for part in message["parts"] if part["type"] == "image"]
        assert [f for f, _ in trajectory["overview"]] + [
            f for turn in trajectory["turns"] for f, _ in turn["frames"]
        ] == sent
        assert trajectory["question_id"] in data["questions"] and trajectory["video_id"] in data["videos"]
        for frame_id in sent:
            assert base64.b64decode(data["frames"][frame_id]) == stored[frame_id]
            assert frame_id_of(stored[frame_id]) == frame_id
    masked = [
        turn for t in data["trajectories"] if t["kind"] == "reflection" for turn in t["turns"] if turn["train"] is False
    ]
    assert masked and {turn["author"] for turn in masked} == {"student"}
    assert data["note"] == ""


def test_no_text_can_break_out_of_the_data(lake, tmp_path):
    nasty = "</script><script>alert(1)</script><!-- <script> ]]> \u2028 &amp; /*data*/"
    hostile = Lake(tmp_path / "lake")
    for table in ("videos", "shots", "frames", "grades", "verdicts"):
        hostile.write(table, lake.read(table))
    hostile.write(
        "questions",
        [row | {"question": nasty, "options": [nasty], "topic": nasty} for row in lake.read("questions").to_dicts()],
    )
    rows = lake.read("trajectories").to_dicts()
    for row in rows:
        row["player"] = row["answer"] = nasty
        for turn in row["turns"]:
            turn["reply"] = nasty
    hostile.write("trajectories", rows)
    found = page(hostile, tmp_path)
    assert set(found.scripts) == {"data", None}, "still the two script elements of the page"
    assert {q["question"] for q in found.data["questions"].values()} == {nasty}
    assert {t["player"] for t in found.data["trajectories"]} == {nasty}
    assert "innerHTML" not in found.scripts[None] and "document.write" not in found.scripts[None]


def test_the_page_loads_nothing_from_elsewhere(lake, tmp_path):
    found = page(lake, tmp_path, max_trajectories=3)
    assert not [a for a in found.attributes if a[1] in ("src", "href")]
    assert (
        "meta",
        "content",
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'",
    ) in found.attributes
    assert "fetch(" not in found.scripts[None] and "import " not in found.scripts[None]


def test_the_note_says_what_the_limits_left_out(lake, tmp_path):
    everything = lake.read("trajectories").height
    few = page(lake, tmp_path, max_trajectories=7).data
    assert (
        len(few["trajectories"]) == 7
        and f"7 of {everything}" in few["note"]
        and "videozoomer trajectories show" in few["note"]
    )
    shown = {
        f
        for t in few["trajectories"]
        for f in [*t["overview"], *(f for turn in t["turns"] for f in turn["frames"])]
        for f in f[:1]
    }
    assert set(few["frames"]) == shown, "no unused picture"
    small = page(lake, tmp_path, max_bytes=60_000).data
    assert 0 < len(small["trajectories"]) < everything
    assert sum(map(len, small["frames"].values())) <= 61_000


def test_all_kinds_are_chosen_and_preferences_come_first(lake):
    rows = summaries(lake)
    kinds = dict(rows.select("trajectory_id", "kind").iter_rows())
    assert {kinds[i] for i in choose(rows, 20)} == set(kinds.values()), (
        "every kind is there although most are exemplars"
    )
    assert choose(rows, 20) == choose(rows.sample(fraction=1, shuffle=True, seed=3), 20)
    reflections = [i for i, kind in kinds.items() if kind == "reflection"]
    assert set(choose(rows, len(reflections), ["reflection"])) == set(reflections)
    wrong = rows.filter(pl.col("reasons").list.contains("wrong_answer"))["trajectory_id"].to_list()
    chosen = choose(rows, len(wrong) + 1, [reflections[0], "wrong_answer"])
    assert chosen[0] == reflections[0] and set(wrong) <= set(chosen)


def test_frames_that_are_not_stored_are_counted(lake, tmp_path):
    bare = Lake(tmp_path / "bare")
    for table in ("videos", "questions", "trajectories"):
        bare.write(table, lake.read(table))
    data = page(bare, tmp_path).data
    assert data["frames"] == {} and "not stored in table `frames`" in data["note"]
    assert all(t["verdict"] is None and t["outcome"] is None for t in data["trajectories"])


def test_empty_lake(tmp_path):
    assert page(Lake(tmp_path / "nothing"), tmp_path).data["trajectories"] == []
