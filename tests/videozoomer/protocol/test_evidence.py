"""One definition of evidence: its edges, its rules for the unknown, and the same answers in SQL."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import sql_functions
from videozoomer.protocol.evidence import (
    EDGE_S,
    Look,
    Window,
    best_iou,
    hits,
    hits_every_window,
    iou,
    looks_hit,
    looks_of,
    windows_of,
)
from videozoomer.protocol.options import LETTERS, index_of

WINDOW = Window(10.0, 12.0)
MOMENTS_S = st.one_of(
    st.floats(0, 60), st.sampled_from([10.0, 10.4, 12.0, 30.0]).flatmap(lambda s: st.floats(s - 0.002, s + 0.002))
)
OFFSETS_S = (-0.002, -0.0005, 0.0, 0.0005, 0.002)
WINDOWS = st.tuples(MOMENTS_S, st.floats(0, 20)).map(lambda pair: Window(pair[0], pair[0] + pair[1]))


@pytest.mark.parametrize(
    ("time_s", "inside"),
    [(9.998, False), (9.9995, True), (10.0, True), (11.0, True), (12.0, True), (12.0005, True), (12.002, False)],
)
def test_a_window_is_closed_and_forgives_a_millisecond(time_s, inside):
    assert WINDOW.covers(time_s) is inside
    assert hits([0.0, time_s], [Window(30.0, 31.0), WINDOW]) is inside


def test_a_window_over_the_evidence_is_no_hit_without_a_frame_in_it():
    sparse = Look(Window(0.0, 60.0), (0.0, 20.0, 40.0))
    assert looks_hit([sparse], [WINDOW]) is False
    assert looks_hit([sparse, Look(Window(8.0, 12.0), (8.0, 11.0))], [WINDOW]) is True


def test_an_overview_suffices_when_it_shows_every_window():
    assert hits_every_window([10.0, 30.0], [WINDOW, Window(30.0, 31.0)]) is True
    assert hits_every_window([10.0, 11.0], [WINDOW, Window(30.0, 31.0)]) is False
    assert hits_every_window([], [WINDOW]) is False


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ((10.0, 12.0), 1.0),
        ((10.0, 14.0), 0.5),
        ((11.0, 13.0), 1 / 3),
        ((12.0, 14.0), 0.0),
        ((20.0, 24.0), 0.0),
        ((11.0, 11.0), 0.0),
    ],
)
def test_intersection_over_union(segment, expected):
    assert iou(Window(*segment), WINDOW) == pytest.approx(expected)
    assert best_iou([Look(Window(*segment), (segment[0],))], [Window(40.0, 41.0), WINDOW]) == pytest.approx(expected)


def test_two_equal_moments_have_no_overlap():
    assert iou(Window(11.0, 11.0), Window(11.0, 11.0)) == 0.0


def test_unknown_evidence_is_neither_hit_nor_missed():
    look = Look(WINDOW, (11.0,))
    assert [hits([11.0], ()), hits_every_window([11.0], ()), looks_hit([look], ()), best_iou([look], ())] == [None] * 4


def test_known_evidence_without_a_zoom_is_missed():
    assert (looks_hit([], [WINDOW]), best_iou([], [WINDOW])) == (False, 0.0)


def test_only_zooms_that_returned_frames_are_looks():
    segment = {"start_s": 10.0, "end_s": 12.0}
    turns = [
        {"action": "zoom", **segment, "frame_times_s": []},
        {"action": "zoom", **segment, "frame_times_s": None},
        {"action": "zoom", **segment, "frame_times_s": [10.0, 11.0]},
        {"action": "answer", "start_s": None, "end_s": None, "frame_times_s": []},
    ]
    assert looks_of(turns) == (Look(WINDOW, (10.0, 11.0)),)
    assert windows_of([segment]) == (WINDOW,) and windows_of(None) == ()


@given(WINDOWS, WINDOWS, MOMENTS_S)
def test_overlap_is_symmetric_bounded_and_agrees_with_hits(one, other, time_s):
    assert iou(one, other) == iou(other, one) and 0 <= iou(one, other) <= 1
    if iou(one, other) > 0:
        assert hits([max(one.start_s, other.start_s)], [one]) and hits([max(one.start_s, other.start_s)], [other])
    assert hits([time_s], [one]) == (one.start_s - EDGE_S <= time_s <= one.end_s + EDGE_S)


@pytest.fixture(scope="module")
def sql():
    with duckdb.connect() as connection:
        sql_functions.register(connection)
        yield connection


@given(windows=st.lists(WINDOWS, max_size=3), times_s=st.lists(MOMENTS_S, max_size=4), segment=WINDOWS)
def test_sql_gives_the_same(sql, windows, times_s, segment):
    rows = [{"start_s": window.start_s, "end_s": window.end_s} for window in windows]
    [(shown,)] = sql.execute(
        "select every_window_is_hit($1::double[], $2::struct(start_s double, end_s double)[])", [times_s, rows]
    ).fetchall()
    assert shown is (hits_every_window(times_s, windows) if windows else True)
    for window, row in zip(windows, rows, strict=True):
        [(overlap,)] = sql.execute(
            "select iou($1, $2, $3, $4)", [segment.start_s, segment.end_s, window.start_s, window.end_s]
        ).fetchall()
        assert overlap == iou(segment, window)
        for time_s in [*times_s, *(edge_s + offset_s for edge_s in row.values() for offset_s in OFFSETS_S)]:
            [(inside,)] = sql.execute(
                "select window_covers($1::struct(start_s double, end_s double), $2::double)", [row, time_s]
            ).fetchall()
            assert inside is window.covers(time_s)


@given(st.lists(st.text(max_size=3), max_size=5), st.one_of(st.sampled_from(LETTERS), st.text(max_size=2)))
def test_sql_reads_option_letters_in_the_same_way(sql, options, letter):
    [(text,)] = sql.execute("select option_text($1::varchar[], $2)", [options, letter]).fetchall()
    index = index_of(letter, len(options))
    assert text == (None if index is None else options[index])
