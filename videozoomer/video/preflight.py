"""Checks a file before it is decoded, and lists the reasons for leaving a file out.

Nothing here trusts a file: it may be a pipe, a playlist that names other files, or declare a wrong size or length.
Damage that only decoding reveals is found by `videozoomer.video.onepass`.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.places.finding import check_film, find_film, open_bytes
from videozoomer.places.uris import PlaceError
from videozoomer.video.boxes import broken_box
from videozoomer.video.leading import MOST_REORDERED, Leading, is_before
from videozoomer.video.opening import open_container
from videozoomer.video.scaling import UnsupportedColours, check_colours
from videozoomer.video.stream_clock import StreamClock
from videozoomer.video.stream_facts import Colours
from videozoomer.video.streams import is_still_picture, no_stream, video_stream
from videozoomer.video.types import Quarantine

if TYPE_CHECKING:
    import av
    import numpy as np

REASONS: dict[str, str] = {
    "missing": "the file does not exist",
    "unreadable": "the file exists but reading it failed (permissions, disk or network)",
    "not_a_file": "a directory, named pipe, socket or device",
    "empty": "a file of zero bytes",
    "playlist": "a text file that names other files, and is no HLS playlist of files in its folder",
    "not_a_video": "not a supported container, despite its name",
    "no_video_stream": "a container without moving pictures (audio only, or a cover picture)",
    "still_picture": "a picture that stands still (AVIF, HEIF, or a single JPEG or PNG), not a film",
    "unsupported_codec": "no decoder for the video stream",
    "unsupported_colours": "colours that would be shown wrong, as of Dolby Vision profile 5",
    "too_large": "the declared picture size exceeds the limit",
    "no_times": "frames without presentation times, so no frame can be found by its time",
    "times_not_increasing": "frames whose times run backwards or repeat",
    "encrypted": "a member of an archive that needs a password",
    "compressed_archive": "a compressed tar archive, in which nothing can be found without unpacking all of it",
    "truncated": "the video ends well before the length that the file declares",
    "damaged": "a header, index or picture cannot be read; frames would be missing or wrong",
    "no_frames": "the video stream has no frame that can be shown",
    "timeout": "reading took more CPU time than its limit, or reported nothing for a long time",
    "out_of_memory": "reading took more memory than the limit",
    "decoder_crashed": "the process that read the file crashed",
}
"""Reason -> what it means. Every quarantined video has one of these."""

MAX_PICTURE_PIXELS = 8192 * 8192
"""Largest declared picture that is decoded; one frame of it takes some 100 MB."""
HASH_BLOCK_BYTES = 1 << 20
LOST_S = 1.0
"""A video is truncated if it ends earlier than declared by more than this and by more than LOST_SHARE of its length."""
LOST_SHARE = 0.02
UNEVEN_SHARE = 0.1
"""The frame rate varies if the longest and shortest frame spacing differ by more than this share of the mean."""
HOLE_STEPS = 1.5
"""Pictures may be missing where the next one comes later than this many usual steps."""
_SKIPPED_BYTES = {"matroska": 64, "avi": 64}
"""Container -> most bytes of headers between two packets. More of them were skipped, because they are damaged or are no
packet (an index, padding)."""
_INDEX_BYTES = 40
"""Bytes of Matroska's index for a keyframe."""
PLAYLIST_MARKS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"<?xml", b"[playlist]", b"<smil", b"<asx")


@dataclass(frozen=True)
class Timeline:
    """Times of every packet, read without decoding; sorted, in ticks of `time_base` seconds."""

    time_base: Fraction
    pts: np.ndarray
    """Presentation times of the frames that are shown; an edit list, for example, can hide frames."""
    keyframes: np.ndarray
    last_duration: int
    hidden: int
    """Packets that are decoded but never shown."""
    container_end_s: float | None
    """Latest end of any packet of any stream, in seconds on the container's clock."""
    broken: str | None
    """FFmpeg's error, if it stopped reading before the end."""
    packets: int
    """Video packets found, including hidden ones."""
    packets_promised: int
    """Video packets that the container's index lists; 0 where it has no index."""
    corrupt: int | None = None
    """Time of the first packet that the container knows to be damaged."""
    unread_bytes: int = 0
    """Bytes behind the last packet (Matroska only): its index, or packets that were skipped because of damage."""
    skipped: tuple[int, ...] = ()
    """Times of the video packets before which bytes were skipped that belong to no packet."""


def check_film_file(place: str) -> int:
    """Size in bytes of a film that is here: of a local file, or of pieces of other files.

    Raises:
        Quarantine: missing, unreadable, not_a_file, empty, playlist, truncated, damaged, encrypted.
    """
    try:
        film = find_film(place)
        if film is None:
            return check_file(Path(place))
        check_film(film)
    except PlaceError as error:
        raise Quarantine(error.reason, error.sentence) from None
    if film.size == 0:
        raise Quarantine("empty", "the film has zero bytes; copy or download it again")
    return film.size


def check_file(path: Path) -> int:
    """Size in bytes of a local file, without opening anything that could block.

    Raises:
        Quarantine: missing, unreadable, not_a_file, empty, playlist.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Quarantine("not_a_file", "it is not a regular file; give the path of a video file")
        if status.st_size == 0:
            raise Quarantine("empty", "the file has zero bytes; copy or download it again")
        with path.open("rb") as handle:
            head = handle.read(4096)
    except FileNotFoundError:
        raise Quarantine("missing", "the file does not exist; check the path") from None
    except (OSError, ValueError) as error:
        raise Quarantine("unreadable", f"{error}; check permissions and the disk") from None
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:16].lower().startswith(tuple(mark.lower() for mark in PLAYLIST_MARKS)):
        raise Quarantine("playlist", "it is a playlist; list the video files themselves")
    return status.st_size


def content_hash(place: str | Path) -> str:
    """Id of a video: the first half of the SHA-256 of its bytes, 32 hex digits."""
    digest = hashlib.sha256()
    with closing(open_bytes(str(place))) as handle:
        while block := handle.read(HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()[:32]


def open_checked(
    source: str | Path, stream_index: int | None = None
) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
    """Open a film that is here and choose its video stream; see `videozoomer.video.streams.video_stream`.

    Raises:
        Quarantine: not_a_video, no_video_stream, unsupported_codec, too_large.
    """
    import av

    try:
        container = open_container(str(source))
    except MemoryError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        looks_like = _container_by_first_bytes(str(source))
        if looks_like == "MP4" and not _has_index(str(source)):
            detail = (
                "its index (the box moov) is missing, as in a recording that was cut off; download it again, or "
                "rebuild the index from another recording of the same device, for example with untrunc"
            )
            raise Quarantine("damaged", detail) from None
        if looks_like:
            detail = f"it starts like {looks_like} but its header or index cannot be read; download the file again"
            raise Quarantine("damaged", detail) from None
        raise Quarantine(
            "not_a_video", f"{_short(error)}; convert it to MP4 or Matroska, or remove it from the source"
        ) from None
    if len(container.streams) == 0:
        container.close()
        raise Quarantine("damaged", "its header describes no stream; download the file again")
    stream = video_stream(container, stream_index)
    if stream is None:
        detail = no_stream(container, stream_index)
        container.close()
        raise Quarantine("no_video_stream", detail)
    context = stream.codec_context
    if context is None:
        container.close()
        raise Quarantine("unsupported_codec", "there is no decoder for its video; convert it to H.264")
    if context.width * context.height > MAX_PICTURE_PIXELS:
        size = f"{context.width} x {context.height}"
        container.close()
        raise Quarantine("too_large", f"it declares pictures of {size} pixels; scale the video down")
    return container, stream


def read_timeline(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream, leading: Leading
) -> Timeline:
    """Read all packets once, without decoding.

    Raises:
        Quarantine: no_times, no_frames.
    """
    import av
    import numpy as np

    time_base = stream.time_base
    if time_base is None:
        raise Quarantine("no_times", "its video stream has no time base; remux it, for example to MP4")
    shown: list[int] = []
    keyframes: list[int] = []
    hidden = timeless = 0
    last, last_duration, end_s, broken = None, 0, None, None
    entry: av.Packet | None = None
    packets = 0
    corrupt: int | None = None
    skipped: list[int] = []
    skipped_bytes = skipped_bytes_of(container)
    read_to: int | None = None
    has_skipped = False
    # The index of MP4 and AVI is complete before their data is read. A fragmented MP4's lists too few, never too many.
    promised = len(stream.index_entries) if container.format.name.startswith(("mov", "avi")) else 0
    try:
        for packet in container.demux():
            if packet.size == 0:
                continue
            if skipped_bytes is not None and packet.pos is not None:
                has_skipped |= read_to is not None and packet.pos - read_to > skipped_bytes
                read_to = packet.pos + packet.size
            begin = packet.pts if packet.pts is not None else packet.dts
            if begin is not None and packet.time_base is not None and not packet.is_discard:
                packet_end_s = float((begin + (packet.duration or 0)) * packet.time_base)
                end_s = packet_end_s if end_s is None else max(end_s, packet_end_s)
            if packet.stream_index != stream.index:
                continue
            packets += 1
            if has_skipped and packet.pts is not None:
                skipped.append(packet.pts)
                has_skipped = False
            if entry is None and packet.is_keyframe:
                entry = packet
            if entry is None or (is_before(packet, entry) and not leading.has(entry, packet)):
                continue  # It cannot be decoded, see `videozoomer.video.leading`.
            if packet.is_corrupt and corrupt is None:
                corrupt = packet.pts
            if packet.is_discard:
                hidden += 1
            elif packet.pts is None:
                timeless += 1
            else:
                shown.append(packet.pts)
                if packet.is_keyframe:
                    keyframes.append(packet.pts)
                if last is None or packet.pts >= last:
                    last, last_duration = packet.pts, packet.duration or 0
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        broken = _short(error)
    if not shown:
        if timeless:
            raise Quarantine("no_times", "its frames have no presentation times; remux it, for example to MP4")
        raise Quarantine("no_frames", "its video stream is empty; remove it from the source")
    pts = np.sort(np.asarray(shown, dtype=np.int64))
    if last_duration <= 0:
        last_duration = int(np.median(np.diff(pts))) if len(pts) > 1 else 0
    return Timeline(
        time_base=time_base,
        pts=pts,
        keyframes=np.sort(np.asarray(keyframes, dtype=np.int64)),
        last_duration=last_duration,
        hidden=hidden,
        container_end_s=end_s,
        broken=broken,
        packets=packets,
        packets_promised=promised,
        corrupt=corrupt,
        unread_bytes=container.size - read_to if container.format.name.startswith("matroska") and read_to else 0,
        skipped=tuple(skipped),
    )


def check_timeline(
    timeline: Timeline, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> None:
    """Compare the packets that were found with what the container declares.

    Raises:
        Quarantine: still_picture, truncated, damaged.
    """
    import av

    if is_still_picture(container, stream, timeline.packets):
        raise Quarantine("still_picture", "it is a picture, not a film; remove it from the source")
    from_zero = counts_from_zero(container)
    if container.duration is not None and timeline.container_end_s is not None:
        declared_s = (container.duration + (0 if from_zero else container.start_time or 0)) / av.time_base
        _check_end("it", declared_s, timeline.container_end_s)
        if timeline.unread_bytes > _INDEX_BYTES * (16 + len(timeline.keyframes)):
            # Packets, not an index: then even a short piece that is missing shows damage.
            step_s = float((timeline.pts[-1] - timeline.pts[0]) * timeline.time_base) / max(1, len(timeline.pts) - 1)
            if declared_s - timeline.container_end_s > HOLE_STEPS * step_s:
                raise Quarantine("damaged", f"its last {timeline.unread_bytes} bytes cannot be read; download it again")
    if stream.duration is not None:
        declared_s = float((stream.duration + (0 if from_zero else stream.start_time or 0)) * timeline.time_base)
        found_s = float((int(timeline.pts[-1]) + timeline.last_duration) * timeline.time_base)
        _check_end("its video", declared_s, found_s)
    if timeline.packets < timeline.packets_promised:
        detail = (
            f"only {timeline.packets} of the {timeline.packets_promised} pictures in its index were found; "
            "download the file again"
        )
        raise Quarantine("truncated", detail)
    if timeline.broken:
        raise Quarantine(
            "damaged", f"reading the container stopped early ({timeline.broken}); download it again or re-encode it"
        )
    if timeline.corrupt is not None:
        near_s = float((timeline.corrupt - int(timeline.pts[0])) * timeline.time_base)
        raise Quarantine("damaged", f"its data is corrupt near {near_s:.1f} s; repair or re-encode it")
    if container.format.name == "avi" and timeline.skipped and timeline.packets > timeline.packets_promised:
        detail = "some of its data was skipped, and its index is incomplete, so no time in it is certain; re-encode it"
        raise Quarantine("damaged", detail)
    if container.format.name == "avi" and timeline.packets_promised < timeline.packets < stream.frames:
        detail = (
            f"its header counts {stream.frames} pictures, {timeline.packets} were found, and its index is incomplete, "
            "so no time in it is certain; re-encode it"
        )
        raise Quarantine("damaged", detail)
    if container.format.name == "avi" and 0 < timeline.packets_promised < timeline.packets:
        # Times are counted by the index after a seek, and by the pictures themselves otherwise.
        detail = f"its index lists {timeline.packets_promised} of its {timeline.packets} pictures; remux it"
        raise Quarantine("damaged", detail)
    if (lost := _lost_pictures(timeline)) is not None:
        near_s = float((lost - int(timeline.pts[0])) * timeline.time_base)
        raise Quarantine("damaged", f"pictures are missing near {near_s:.1f} s; download it again")


def check_boxes(place: str) -> None:
    """Raises:
    Quarantine: damaged.
    """
    if (at := broken_box(place)) is not None:
        raise Quarantine("damaged", f"its boxes cannot be followed beyond byte {at}; download it again")


def _lost_pictures(timeline: Timeline) -> int | None:
    """Time after which pictures are missing because Matroska's reader skipped damaged bytes, without a word.

    Neither sign is enough alone: an index or padding between pictures is skipped too, and a screen recording has
    pictures only where something changes.
    """
    import numpy as np

    steps = np.diff(timeline.pts)
    if not timeline.skipped or not len(steps):
        return None
    holes = np.flatnonzero(steps > HOLE_STEPS * np.median(steps))
    for pts in timeline.skipped:
        at = int(np.searchsorted(timeline.pts, pts))
        # A picture behind the hole may be shown up to this many later than it is decoded.
        near = holes[(holes >= at - 1 - MOST_REORDERED) & (holes < at + MOST_REORDERED)]
        if len(near):
            return int(timeline.pts[near[0]])
    return None


def skipped_bytes_of(container: av.container.InputContainer) -> int | None:
    """The number in _SKIPPED_BYTES; None for a container whose packets are not stored one after another."""
    return _SKIPPED_BYTES.get(container.format.name.split(",")[0])


def counts_from_zero(container: av.container.InputContainer) -> bool:
    """Whether the length that a container declares is where it ends on its own clock, even if it starts later than 0.

    Matroska and ASF do so; others count from the start. Some writers of Matroska count from the start as well: their
    files then seem to declare less than they have, which is not taken for damage.
    """
    return container.format.name.startswith(("matroska", "asf"))


def _check_end(what: str, declared_s: float, found_s: float) -> None:
    if declared_s - found_s > max(LOST_S, LOST_SHARE * declared_s):
        detail = f"{what} should end at {declared_s:.1f} s but ends at {found_s:.1f} s; download the file again"
        raise Quarantine("truncated", detail)


def check_decoded(clock: StreamClock, timeline: Timeline, duration_s: float) -> None:
    """Compare the decoded frames with the packets.

    Raises:
        Quarantine: truncated.
    """
    promised_s = clock.seconds(int(timeline.pts[-1]))
    if promised_s - duration_s > LOST_S:
        detail = (
            f"its packets reach {promised_s:.1f} s but its frames end at {duration_s:.1f} s; download the file again"
        )
        raise Quarantine("truncated", detail)


@contextmanager
def colours_checked(first: av.VideoFrame, declared: Colours) -> Iterator[None]:
    """Check the first frame's colours, and watch for other frames whose colours cannot be converted.

    Raises:
        Quarantine: unsupported_colours.
    """
    try:
        check_colours(first, declared)
        yield
    except UnsupportedColours as error:
        raise Quarantine("unsupported_colours", str(error)) from None


def has_variable_rate(pts: np.ndarray) -> bool:
    """Whether the spacing of frames varies; two ticks of difference come from rounding to the container's clock."""
    import numpy as np

    steps = np.diff(pts)
    return len(steps) > 0 and bool(np.ptp(steps) > max(2, UNEVEN_SHARE * steps.mean()))


def _container_by_first_bytes(place: str) -> str | None:
    with closing(open_bytes(place)) as handle:
        head = handle.read(200)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip"):
        return "MP4"
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "MPEG-TS"
    marks = {
        b"\x1aE\xdf\xa3": "Matroska",
        b"RIFF": "AVI",
        b"OggS": "Ogg",
        b"FLV\x01": "FLV",
        b"\x30\x26\xb2\x75": "ASF",
    }
    return marks.get(head[:4])


def _has_index(place: str) -> bool:
    """Whether a box moov begins somewhere on the top level of an MP4, as far as its boxes can be followed."""
    at = 0
    with closing(open_bytes(place)) as handle:
        while True:
            handle.seek(at)
            head = handle.read(16)
            if len(head) < 8:
                return False
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if head[4:8] == b"moov":
                return True
            if length < 8:
                return False
            at += length


def _short(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
