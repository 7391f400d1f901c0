"""HLS folders and folders of numbered pictures among a source's files: one film each, and none of their files."""

import io

import pytest
from PIL import Image

from videozoomer.settings.sources import Source
from videozoomer.sources.files import SourceError
from videozoomer.sources.listing import describe_passed_over, list_place
from videozoomer.sources.questions import read_source


def uris(place, rate=None):
    return [item.uri for item in list_place(str(place), rate).offered]


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"


@pytest.fixture
def hls(tmp_path):
    write(
        tmp_path,
        plain_dot_mp4="x",
        one__index_dot_m3u8=HLS + "#EXTINF:2,\na.ts\n#EXTINF:2,\nb.ts?token=1\n#EXT-X-ENDLIST\n",
        one__a_dot_ts="xx",
        one__b_dot_ts="yyy",
        one__extra_dot_ts="z",
        two__master_dot_m3u8=HLS
        + "#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/v.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhi/v.m3u8\n",
        two__low__v_dot_m3u8=HLS + '#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n1.m4s\n',
        two__low__init_dot_mp4="x",
        two__low__1_dot_m4s="x",
        two__hi__v_dot_m3u8=HLS + "#EXTINF:2,\n1.ts\n",
        two__hi__1_dot_ts="xxxxxxx",
        music_dot_m3u8="#EXTM3U\n#EXTINF:5,\nplain.mp4\n",
        away_dot_m3u8=HLS + "#EXTINF:2,\nhttps://host/1.ts\n",
    )  # fmt: skip
    return tmp_path


def test_an_hls_folder_is_one_film_and_its_segments_are_none(hls):
    listing = list_place(str(hls))
    assert [item.uri.removeprefix(f"{hls}/") for item in listing.offered] == [
        "away.m3u8", "one/extra.ts", "one/index.m3u8", "plain.mp4", "two/master.m3u8",
    ]  # fmt: skip
    sizes = {item.uri.rsplit("/", 1)[1]: item.bytes for item in listing.offered}
    assert (sizes["index.m3u8"], sizes["master.m3u8"]) == (5, 7)
    assert describe_passed_over(listing) == "Passed over: 1 .m3u8"
    assert uris(hls / "one/index.m3u8") == uris(hls / "one/*.m3u8") == [str(hls / "one/index.m3u8")]


def test_a_change_of_a_segment_changes_the_listing(hls):
    def modified():
        return {item.uri: item.modified for item in list_place(str(hls)).offered}

    before = modified()
    (hls / "one/b.ts").write_bytes(b"zzzz")
    (hls / "two/low/1.m4s").write_bytes(b"zzzz")
    assert {uri for uri, mark in modified().items() if mark != before[uri]} == {str(hls / "one/index.m3u8")}


def png():
    out = io.BytesIO()
    Image.new("RGB", (32, 18)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def pictures(tmp_path):
    for film, numbers in (("clips/a", (1, 2, 3)), ("clips/b", (9, 10, 11, 15)), ("clips/c", (7,))):
        for number in numbers:
            write(tmp_path, **{f"{film.replace('/', '__')}__frame_{number}_dot_png": png()})
    write(tmp_path, clips__a__notes_dot_txt="x", clips__d_dot_mp4="x")
    return tmp_path / "clips"


def test_numbered_pictures_are_films_once_their_rate_is_known(pictures):
    without = list_place(str(pictures))
    assert [item.uri for item in without.offered] == [str(pictures / "d.mp4")]
    assert describe_passed_over(without) == "Passed over: 8 .png, 1 .txt"
    assert any("2 folders of numbered pictures" in note and "frames_rate" in note for note in without.notes)
    listing = list_place(str(pictures), 12.5)
    assert [item.uri for item in listing.offered] == [
        str(pictures / "d.mp4"), f"frames://{pictures}/a?rate=25/2", f"frames://{pictures}/b?rate=25/2",
    ]  # fmt: skip
    assert describe_passed_over(listing) == "Passed over: 1 .png, 1 .txt"
    (note,) = listing.notes
    assert "4 pictures; 3 numbers are missing (12, 13, 14)" in note
    assert uris(pictures / "a", "30000/1001") == [f"frames://{pictures}/a?rate=30000/1001"]


def test_a_rate_beside_the_pictures_comes_first(pictures):
    (pictures / "frames.yaml").write_text("rate: 30\n")
    (pictures / "a/frames.yaml").write_text("rate: 24000/1001\n")
    assert [uri.rsplit("=", 1)[1] for uri in uris(pictures, 25)[1:]] == ["24000/1001", "30"]
    assert describe_passed_over(list_place(str(pictures))) == "Passed over: 1 .png, 1 .txt"


@pytest.mark.parametrize("text", ["rate: 0", "rate: fast", "25", "rate: [", "fps: 25", "rate: 1/0"])
def test_a_rate_that_is_none_is_named_with_its_file(pictures, text):
    (pictures / "frames.yaml").write_text(text)
    with pytest.raises(SourceError, match=r"frames\.yaml does not say a rate such as `rate: 25`"):
        list_place(str(pictures))


def test_a_change_of_a_picture_changes_the_listing(pictures):
    def modified():
        return [item.modified for item in list_place(str(pictures), 25).offered]

    before = modified()
    (pictures / "b/frame_10.png").write_bytes(png() + b"\0")
    assert [mark != old for mark, old in zip(modified(), before, strict=True)] == [False, False, True]


def test_questions_name_a_folder_of_pictures_or_a_playlist_by_its_path(pictures, hls):
    (pictures.parent / "q.csv").write_text(
        "video,question,answer\nb,q1,yes\nclips/a,q2,yes\na.mp4,q3,no\none/index.m3u8,q4,no\n"
    )
    source = Source(
        name="films", videos=str(pictures.parent), questions=str(pictures.parent / "q.csv"), frames_rate="25"
    )
    rows = read_source(source, uris(pictures.parent, source.frames_rate)).rows
    assert [row["video_uri"] for row in rows] == [
        f"frames://{pictures}/b?rate=25", f"frames://{pictures}/a?rate=25", f"frames://{pictures}/a?rate=25",
        f"{hls}/one/index.m3u8",
    ]  # fmt: skip
    assert not any(row["reason"] for row in rows)
