"""`videozoomer view` over HTTP."""

import io
import json

import duckdb
import polars as pl
import pytest
from lake_fixture import write_lake
from live_server import serving

from eval.viewer.live import index as index_module
from eval.viewer.live.episodes import rules
from eval.viewer.live.index import FILTERS, Index, Live, Query, words_of
from eval.viewer.live.pictures import Pictures
from eval.viewer.live.server import SCRIPTS, Shown
from eval.viewer.page import gather
from videozoomer.lake.lake import Lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """As a finished run leaves it, with its trajectories in two partitions."""
    lake = write_lake(tmp_path_factory.mktemp("world"), width=64).lake
    for table in ("trajectories", "grades"):
        rows = lake.read(table)
        later = pl.col("trajectory_id").hash() % 2 == 0
        lake.write(table, rows.filter(later), "exemplars.synthetic-0001")
        lake.write(table, rows.filter(~later), "all")
    return lake


@pytest.fixture(scope="module")
def browser(lake):
    with serving(Shown(Live(lake), Pictures(), "a run")) as opened:
        yield opened


def all_ids(browser, **asked) -> list[str]:
    """By pages of 7, each asked for by the last key of the one before."""
    found, after = [], ""
    while rows := browser.get("/api/rows", after=after, limit=7, **asked)["rows"]:
        found += [row["id"] for row in rows]
        after = found[-1]
    return found


def test_pages_by_key_have_every_trajectory_once(browser, lake):
    found = all_ids(browser)
    assert sorted(found) == sorted(lake.read("trajectories")["trajectory_id"])
    skipped = browser.get("/api/rows", after=found[3], skip=10, limit=5)["rows"]
    assert [row["id"] for row in skipped] == found[14:19], "a jump is counted from a known key"
    assert browser.get("/api/position", id=found[20])["position"] == 20
    assert browser.get("/api/neighbour", id=found[20], step=1)["id"] == found[21]
    assert browser.get("/api/neighbour", id=found[20], step=-1)["id"] == found[19]
    assert browser.get("/api/neighbour", id=found[-1], step=1)["id"] is None


def truth(lake: Lake) -> pl.DataFrame:
    """What the filters ask for, joined here by other means."""
    return (
        lake.read("trajectories")
        .join(lake.read("grades").drop("question_id", "batch"), on="trajectory_id", how="left")
        .join(lake.read("verdicts").select("trajectory_id", "outcome", "reasons"), on="trajectory_id", how="left")
        .join(lake.read("questions").select("question_id", "source", "split", "answer_type", "topic"), on="question_id")
    )


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("kind", "reflection", pl.col("kind") == "reflection"),
        ("player", "policy", pl.col("player") == "policy"),
        ("outcome", "kept", pl.col("outcome") == "kept"),
        ("outcome", "no rules applied", pl.col("outcome").is_null()),
        ("verdict", "wrong", pl.col("verdict") == "wrong"),
        ("rule", "wrong_answer", pl.col("reasons").list.contains("wrong_answer").fill_null(False)),
        ("answer_type", "yes_no", pl.col("answer_type") == "yes_no"),
        ("zooms", "2", pl.col("zooms") == 2),
        ("evidence", "missed", pl.col("hit").eq(False).fill_null(False)),
        ("condition", "blind", (pl.col("max_zooms") == 0) & (pl.col("frames_shown") == 0)),
        ("split", "evaluation", pl.col("split") == "evaluation"),
        ("topic", "how many", pl.col("topic") == "how many"),
        ("source", "synthetic", pl.lit(True)),
    ],
)
def test_a_filter_leaves_the_rows_that_it_names(browser, lake, name, value, holds):
    wanted = sorted(truth(lake).filter(holds)["trajectory_id"])
    assert wanted
    assert sorted(all_ids(browser, **{name: value})) == wanted
    counted = dict(map(tuple, browser.get("/api/facets", verdict="correct")[name]))
    both = truth(lake).filter(holds & ((pl.col("verdict") == "correct") | pl.lit(name == "verdict"))).height
    assert counted.get(value, 0) == both, "a count is of the rows that the filter would leave beside the others"


def test_every_filter_is_tested():
    marks = test_a_filter_leaves_the_rows_that_it_names.pytestmark
    assert {case[0] for mark in marks for case in mark.args[1]} == set(FILTERS) - {"review", "tag"}


def test_search_finds_every_word_and_quoted_words_together(browser, lake):
    texts = {
        row["trajectory_id"]: "\n".join(turn["reply"] for turn in row["turns"]).lower()
        for row in lake.read("trajectories").to_dicts()
    }
    asked = dict(lake.read("questions").select("question_id", "question").iter_rows())
    question = dict(lake.read("trajectories").select("trajectory_id", "question_id").iter_rows())
    for text, found in (
        ("hide between", [i for i, said in texts.items() if "hide" in said and "between" in said]),
        ('"enough of the HARBOUR"', [i for i, said in texts.items() if "enough of the harbour" in said]),
        ("between hide harbour", [i for i, said in texts.items() if "hide" in said and "harbour" in said]),
        ("night street? ", [i for i in texts if "night street" in asked[question[i]]]),
    ):
        assert found
        assert sorted(all_ids(browser, q=text)) == sorted(found)
    assert all_ids(browser, q="nowhere to be found") == []
    one = lake.read("trajectories")["trajectory_id"][5]
    assert all_ids(browser, q=one[:20]) == [one]
    assert words_of('a "b c" d') == ["a", "d", "b c"]


def test_an_item_is_what_the_file_shows(browser, lake):
    of_file = gather(lake, 10_000, 10**9, ())
    for trajectory in of_file["trajectories"][::5]:
        shown = browser.get("/api/item", id=trajectory["id"])
        assert shown["trajectory"] == json.loads(json.dumps(trajectory))
        assert shown["question"] == of_file["questions"][trajectory["question_id"]]
        assert shown["video"] == of_file["videos"][trajectory["video_id"]]


def test_parent_and_repair_know_each_other(browser, lake):
    pairs = lake.read("trajectories").filter(pl.col("parent_id").is_not_null())
    child, parent = pairs.select("trajectory_id", "parent_id").row(0)
    assert browser.get("/api/item", id=parent)["repairs"] == [child]
    assert browser.get("/api/item", id=child)["trajectory"]["parent_id"] == parent


def test_every_rule_has_an_outcome():
    judged = {"outcome": "rejected", "reasons": ["wrong_answer", "gone_rule"]}
    said = {rule["name"]: rule["outcome"] for rule in rules(judged, ("loops",))}
    assert said["wrong_answer"] == said["gone_rule"] == "dropped"
    assert said["loops"] == "skipped" and said["bad_format"] == "passed"
    assert said["too_many_of_a_question"] == "not reached", "it chooses among what the others left"
    kept = {rule["outcome"] for rule in rules({"outcome": "kept", "reasons": []})}
    assert kept == {"passed"}
    assert rules({"outcome": None, "reasons": []}) == []


def test_samples_of_a_question_say_where_each_looked(browser, lake):
    one = lake.read("trajectories").filter(pl.col("zooms") == 2).row(0, named=True)
    shown = browser.get("/api/samples", question=one["question_id"])["samples"]
    rows = lake.read("trajectories").filter(pl.col("question_id") == one["question_id"]).to_dicts()
    assert {sample["id"] for sample in shown} == {row["trajectory_id"] for row in rows}
    looked = {sample["id"]: sample["zooms"] for sample in shown}
    for row in rows:
        assert looked[row["trajectory_id"]] == [
            [turn["start_s"], turn["end_s"], turn["fps"]] for turn in row["turns"] if turn["action"] == "zoom"
        ]


def frames_of(lake: Lake) -> tuple[str, list[str]]:
    row = lake.read("trajectories").filter(pl.col("zooms") == 2).row(0, named=True)
    return row["trajectory_id"], [frame_id for turn in row["turns"] for frame_id in turn["frame_ids"] or []]


def test_frames_come_from_the_table(browser, lake):
    trajectory_id, wanted = frames_of(lake)
    stored = dict(lake.read("frames").select("frame_id", "jpeg").iter_rows())
    for frame_id in wanted:
        answer = browser.send("GET", f"/frame/{frame_id}?of={trajectory_id}")
        assert answer.getheader("Content-Type") == "image/jpeg"
        assert answer.read() == stored[frame_id]
    other = next(frame_id for frame_id in stored if frame_id not in wanted)
    shown = browser.get("/api/item", id=trajectory_id)["trajectory"]["overview"]
    if other not in {frame_id for frame_id, _ in shown}:
        fresh = Pictures()
        with pytest.raises(index_module.QueryError, match="shows no frame"):
            fresh.frame(Index(lake), other, trajectory_id)
        fresh.close()


def test_frames_that_are_not_stored_come_from_a_data_set_or_the_film(lake, tmp_path):
    from videozoomer.video.types import Frame, FrameError

    bare = Lake(tmp_path / "tables")
    for table in ("trajectories", "questions", "videos"):
        for partition in lake.partitions(table):
            bare.write(table, lake.read(table, [partition]), partition)
    index, (trajectory_id, wanted) = Index(bare), frames_of(lake)
    stored = {row["frame_id"]: row for row in lake.read("frames").to_dicts()}
    first, second, third, *_ = wanted
    shards = tmp_path / "sft"
    shards.mkdir()
    lake.read("frames").filter(pl.col("frame_id") == first).write_parquet(shards / "frames-00000.parquet")

    def read(uri: str, time_s: float) -> Frame:
        if time_s == stored[third]["time_s"]:
            raise FrameError(uri, time_s, "the film is gone")
        found = min(
            stored.values(), key=lambda row: abs(row["time_s"] - time_s) + 1000 * (uri[-5] != row["video_id"][-1])
        )
        return Frame(found["frame_id"], time_s, found["time_s"], 64, 36, found["jpeg"])

    pictures = Pictures(read, [shards])
    assert pictures.frame(index, first, trajectory_id) == stored[first]["jpeg"]
    assert pictures.frame(index, second, trajectory_id) == stored[second]["jpeg"]
    assert pictures.frame(index, third, trajectory_id) is None
    pictures.close()
    wrong = Pictures(lambda uri, time_s: Frame("another", time_s, time_s, 64, 36, b"another picture"))
    assert wrong.frame(index, second, trajectory_id) is None, (
        "a picture that the player did not see is not shown as his"
    )
    wrong.close()


REFUSED = {
    "another host": {"Host": "evil.example:80"},
    "the address by another name": {"Host": "rebound.example"},
    "another page": {"Origin": "http://evil.example"},
    "another port of this machine": {"Origin": "http://127.0.0.1:1"},
    "a page of a file": {"Origin": "null"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another server of this machine": {"Sec-Fetch-Site": "same-site"},
    "no key": {"Cookie": None},
    "a wrong key": {"Cookie": "videozoomer_1=guess"},
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("path", ["/", "/api/state", "/static/app.js", "/frame/x?of=y", "/clip?of=x&start=0&end=1"])
def test_others_are_refused(browser, path, headers):
    answer = browser.send("GET", path, headers=headers)
    assert answer.status == 403 and answer.read().startswith(b"refused: ")


def test_the_token_opens_the_page_once_and_leaves_the_address(browser):
    token = browser.address.split("token=")[1]
    opened = browser.send("GET", f"/?token={token}&kind=probe", headers={"Cookie": None})
    assert opened.status == 303 and opened.getheader("Location") == "/?kind=probe"
    cookie = opened.getheader("Set-Cookie")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert browser.send("GET", "/?token=guess", headers={"Cookie": None}).status == 403
    assert browser.send("GET", f"/api/state?token={token}", headers={"Cookie": None}).status == 403


def test_the_page_runs_only_its_own_scripts(browser):
    page = browser.send("GET", "/")
    policy = page.getheader("Content-Security-Policy")
    assert "default-src 'none'" in policy and "unsafe" not in policy and "data:" not in policy
    html = page.read().decode()
    assert html.count("<script ") == html.count('<script src="/static/') == html.count("</script>")
    assert " style=" not in html and " onclick=" not in html
    for name in SCRIPTS:
        answer = browser.send("GET", f"/static/{name}")
        text = answer.read().decode()
        assert answer.status == 200 and "innerHTML" not in text and "eval(" not in text
    assert browser.send("GET", "/static/..%2fserver.py").status == 404


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/item?id=none", "no trajectory none"),
        ("/api/item", "lacks id"),
        ("/api/rows?after=none", "no trajectory none"),
        ("/api/rows?skip=-3", "out of range"),
        ("/api/rows?skip=many", "no number"),
        ("/api/samples?question=none", "no trajectory of question none"),
        ("/frame/none?of=none", "no trajectory none"),
    ],
)
def test_what_there_is_not_is_said(browser, path, message):
    answer = browser.send("GET", path)
    assert answer.status == 404 and message in json.loads(answer.read())["error"]


def test_a_run_that_replaces_tables_shows_in_a_newer_index(lake, tmp_path):
    changing = Lake(tmp_path)
    changing.write("trajectories", lake.read("trajectories").head(10), "a.one")
    live = Live(changing, look_s=0)
    first, version = live.index()
    assert first.total == 10 and live.index() == (first, version), "unchanged tables are not read again"
    changing.write("trajectories", lake.read("trajectories").slice(10, 5), "a.two")
    second, newer = live.index()
    assert second.total == 15 and newer > version
    assert first.rows(Query(), None, 0, 50)["total"] == 10, "a request that began before keeps its rows"


def test_tables_that_change_while_they_are_read_belong_together(lake, tmp_path):
    changing = Lake(tmp_path)
    rows = lake.read("trajectories")
    changing.write("trajectories", rows.head(10), "a.one")

    def slow(one: Lake) -> Index:
        changing.write("trajectories", rows.head(12), "a.one")
        changing.write("verdicts", lake.read("verdicts"))
        return Index(one)

    live = Live(changing, opened=slow, look_s=0)
    first, _ = live.index()
    assert first.total == 10 and {row["outcome"] for row in first.rows(Query(), None, 0, 50)["rows"]} == {None}
    assert live.index()[0].total == 12


def test_the_last_index_serves_while_a_new_one_cannot_be_read(lake, tmp_path):
    changing = Lake(tmp_path)
    changing.write("trajectories", lake.read("trajectories").head(10), "a.one")
    failures: list[Exception] = []

    def opened(one: Lake) -> Index:
        if failures:
            raise failures.pop()
        return Index(one)

    live = Live(changing, opened=opened, look_s=0)
    first, _ = live.index()
    changing.write("trajectories", lake.read("trajectories").head(12), "a.one")
    failures += [duckdb.Error("Invalid data"), FileNotFoundError("gone")]
    assert live.index()[0] is first and live.index()[0] is first
    assert live.index()[0].total == 12, "and each look tries again"


def test_an_empty_home_has_an_empty_list(tmp_path):
    listed = Index(Lake(tmp_path)).rows(Query("x"), None, 0, 50)
    assert listed == {"rows": [], "matching": 0, "total": 0}


def test_a_clip_is_cut_from_the_film(tmp_path):
    from videozoomer.video.clip import ClipError

    pictures = Pictures()
    with pytest.raises(ClipError, match="is not on this machine"):
        pictures.clip("https://films.example/a.mp4", 1, 2)
    with pytest.raises(index_module.QueryError, match="at most"):
        pictures.clip("a.mp4", 0, 1000)
    pictures.close()


def test_hostile_texts_reach_the_page_as_json(lake, tmp_path):
    nasty = "</script><img src=x onerror=alert(1)>' or 1=1 --"
    hostile = Lake(tmp_path)
    hostile.write("trajectories", lake.read("trajectories").with_columns(pl.lit(nasty).alias("player")))
    with serving(Shown(Live(hostile), Pictures(), nasty)) as opened:
        assert opened.get("/api/state")["name"] == nasty
        assert opened.get("/api/rows", player=nasty)["matching"] == hostile.read("trajectories").height
        assert opened.get("/api/rows", q=nasty)["matching"] == 0
        answer = opened.send("GET", "/api/rows")
        assert answer.getheader("Content-Type").startswith("application/json")
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert json.load(io.BytesIO(answer.read()))
