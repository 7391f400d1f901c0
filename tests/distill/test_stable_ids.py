"""Ids that finished runs hold. A change here makes every call of an old home be paid again, so it needs a raised
version."""

from distill.episodes import begin
from distill.items import EpisodeJob, QuestionItem
from distill.records import trajectory_id
from distill.storage.frames import read_key
from distill.storage.keys import call_key
from videozoomer.protocol import FrameRef, Protocol, load_prompts

PROTOCOL, PROMPTS = Protocol(), load_prompts("v1")
ITEM = QuestionItem(
    question_id="q1",
    video_id="video1",
    video_uri="films/a.mp4",
    batch="films-0000",
    question="What is shown?",
    options=("a circle", "a square ü"),
    answer_type="choice",
    duration_s=60.0,
    overview=(FrameRef("a" * 32, 0.0), FrameRef("b" * 32, 2.0)),
)
JOB = EpisodeJob(ITEM, "exemplar", sample=1, temperature=0.7)
SAMPLING = {"temperature": 0.7, "top_p": 1.0, "max_tokens": 2048, "seed": None, "sample": 1, "stop": "</video_zoom>"}


def test_a_trajectory_keeps_its_id():
    assert trajectory_id(JOB, "teacher-1", PROTOCOL, PROMPTS) == "c0194a27deb9e4d2781843bb7e07ceda"


def test_the_calls_of_an_episode_keep_their_keys():
    episode = begin(JOB, PROTOCOL, PROMPTS)
    first = call_key("https://host/v1", "teacher-1", SAMPLING, episode.messages)
    episode.step('<think>look</think><video_zoom>{"segment": [4, 6], "fps": 2}</video_zoom>')
    episode.show([FrameRef(letter * 32, 4 + index / 2) for index, letter in enumerate("cdef")])
    second = call_key("https://host/v1", "teacher-1", SAMPLING, episode.messages)
    assert [first, second] == ["94862a506bf6f3b36ce6ad3c28bfedee", "b99dacd12ece8763ed2746065a748301"]


def test_a_read_of_frames_keeps_its_key():
    assert read_key("video1", [4.0, 4.5], 25088, 100352) == "39c42e1bb5e767b764c3cd1533acf3e8"
