"""Keys and bodies: what changes a call changes its key, and the pieces of a body join to the JSON of one dump."""

import base64
import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from builders import frames_at
from distill_world import make_items
from hypothesis import given
from hypothesis import strategies as st

from distill.client.encoding import encode_plainly, encode_request
from distill.client.image_cache import ImageCache
from distill.client.refusals import read_refusal
from distill.client.remote_model import RemoteModel
from distill.client.replies import clean_text, close_zoom, read_completion
from distill.episodes import begin
from distill.items import EpisodeJob
from distill.storage import keys
from distill.storage.frames import FrameMissing, FrameStore, read_key
from distill.storage.ledger import Ledger
from videozoomer.protocol import Image, Message, Protocol, Text, load_prompts
from videozoomer.protocol.parsing import STOP
from videozoomer.settings.model import Endpoint

PROMPTS = load_prompts("v1")
TEXTS = st.text(max_size=30).map(clean_text)
FRAMES = st.sampled_from(["f0", "f1", "f2"])
PARTS = st.one_of(st.builds(Text, TEXTS), st.builds(Image, FRAMES, st.just(0.0)))
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.lists(PARTS, max_size=4).map(tuple)),
    min_size=1,
    max_size=4,
)


class Few:
    """A store of three frames."""

    def pictures(self, frame_ids):
        return {frame_id: (frame_id.encode() * 3, 28, 28) for frame_id in frame_ids}


@given(messages=MESSAGES)
def test_a_body_is_the_json_of_the_conversation(messages):
    body = encode_request({"model": "m", "seed": 1}, messages, ImageCache(Few(), tokens_of=lambda width, height: width))
    images = sum(len(message.frame_ids) for message in messages)
    content = b"".join(body.pieces)
    assert content == encode_plainly({"seed": 1, "model": "m"}, messages, lambda frame_id: frame_id.encode() * 3)
    asked = json.loads(content)
    assert (asked["model"], asked["seed"], body.image_tokens) == ("m", 1, 28 * images)
    for message, sent in zip(messages, asked["messages"], strict=True):
        assert sent["role"] == message.role
        if not message.frame_ids:
            assert sent["content"] == message.text
            continue
        for part, piece in zip(message.parts, sent["content"], strict=True):
            if isinstance(part, Text):
                assert piece == {"type": "text", "text": part.text}
            else:
                assert base64.b64decode(piece["image_url"]["url"].split(",")[1]) == part.frame_id.encode() * 3
    text = json.dumps([m["content"] for m in asked["messages"]], ensure_ascii=False)
    assert body.text_bytes <= len(content) and (images or body.text_bytes == len(content)) and text


@given(
    one=MESSAGES, two=MESSAGES, sampling=st.dictionaries(st.sampled_from(["seed", "temperature"]), st.integers(0, 3))
)
def test_keys_are_equal_only_for_equal_calls(one, two, sampling):
    first = [[m.role, [p.text if isinstance(p, Text) else (p.frame_id,) for p in m.parts]] for m in one]
    other = [[m.role, [p.text if isinstance(p, Text) else (p.frame_id,) for p in m.parts]] for m in two]
    key = keys.call_key("e", "m", sampling, one)
    assert keys.conversation_json(one) == keys.conversation_json_plainly(one)
    framed = json.loads(keys.conversation_json_plainly(one))
    whole = {"protocol": keys.VERSION, "endpoint": "e", "model": "m", "sampling": sampling, "messages": framed}
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert key == hashlib.sha256(canonical.encode()).hexdigest()[:32]
    assert (key == keys.call_key("e", "m", sampling, two)) == (first == other)
    assert key != keys.call_key("e", "m", sampling | {"seed": 9}, one)
    assert key != keys.call_key("e2", "m", sampling, one) and key != keys.call_key("e", "m2", sampling, one)


@given(text=st.one_of(TEXTS, st.integers(0, 9000).map("ü".__mul__)))
def test_a_text_hash_is_plain_sha256(text):
    assert keys.text_hash(text) == hashlib.sha256(text.encode()).hexdigest()[:32]


@pytest.fixture
def world(tmp_path):
    with FrameStore(tmp_path / "f.sqlite") as store, Ledger(tmp_path / "l.sqlite") as ledger:
        yield store, RemoteModel(Endpoint(base_url="http://one/v1", identity="e"), "m", ledger, store, "episode", 2**20)


def test_everything_that_changes_a_call_changes_its_key(world, monkeypatch):
    store, remote = world
    item = make_items(store, 2)[0]
    messages = begin(EpisodeJob(item, "exemplar"), Protocol(), PROMPTS).messages
    key = remote.key(remote.sampling(0, 1.0), messages)
    assert key == remote.key(
        remote.sampling(0, 1.0), begin(EpisodeJob(make_items(store, 5)[0], "exemplar"), Protocol(), PROMPTS).messages
    )
    others = {
        remote.key(remote.sampling(1, 1.0), messages),
        remote.key(remote.sampling(0, 0.9), messages),
        remote.key(
            remote.sampling(0, 1.0), begin(EpisodeJob(item, "exemplar"), Protocol(max_zooms=2), PROMPTS).messages
        ),
        remote.key(
            remote.sampling(0, 1.0),
            begin(EpisodeJob(make_items(store, 2, overview=5)[0], "exemplar"), Protocol(), PROMPTS).messages,
        ),
    }
    monkeypatch.setattr(keys, "VERSION", "next")
    others.add(remote.key(remote.sampling(0, 1.0), messages))
    assert len(others) == 5 and key not in others


def test_with_an_identity_the_address_may_change(world):
    store, remote = world
    moved = remote.endpoint.model_copy(update={"base_url": "http://two/v1"})
    again = RemoteModel(moved, "m", remote.ledger, store, "episode", 2**20)
    ask = (Message("user", (Text("x"),)),)
    assert again.key(again.sampling(0, 1.0), ask) == remote.key(remote.sampling(0, 1.0), ask)


def test_a_rejected_parameter_does_not_change_the_key(world):
    _, remote = world
    ask = (Message("user", (Text("x"),)),)
    key = remote.key(remote.sampling(0, 1.0), ask)
    remote.drop("stop")
    remote.drop("max_tokens")
    sent = remote.parameters(remote.sampling(0, 1.0))
    assert "stop" not in sent and sent["max_completion_tokens"] == 2048 and "max_tokens" not in sent
    assert remote.key(remote.sampling(0, 1.0), ask) == key


def test_the_cache_stays_within_its_bound_and_encodes_a_frame_once(world):
    store, _ = world
    frames = frames_at("video", range(50))
    store.put(frames, "v")
    cache = ImageCache(store, max_bytes=10_000)
    for start in range(0, 50, 5):
        shown = frames[start : start + 5]
        encoded = cache.get(tuple(frame.frame_id for frame in shown))
        assert all(base64.b64encode(frame.jpeg) in json for frame, json in zip(shown, encoded.json, strict=True))
        overlapping = cache.get(tuple(frame.frame_id for frame in frames[start + 2 : start + 6]))
        assert all(one is other for one, other in zip(encoded.json[2:], overlapping.json, strict=False))
        assert 0 < cache.size_bytes <= 10_000
    assert not cache.holds(tuple(frame.frame_id for frame in frames[:5]))


def test_threads_that_need_the_same_frames_share_one_encoding_or_its_error(world):
    store, _ = world
    frames = frames_at("video", range(4))
    ids, cache = tuple(frame.frame_id for frame in frames), ImageCache(store)
    asked, real = [], store.pictures

    def slow(wanted):
        asked.append(wanted)
        time.sleep(0.1)
        return real(wanted)

    store.pictures = slow
    with ThreadPoolExecutor(8) as pool:
        failures = [pool.submit(cache.get, ids) for _ in range(8)]
        assert {type(failure.exception()) for failure in failures} == {FrameMissing}
        store.put(frames, "v")
        asked.clear()
        assert len({id(frames) for frames in pool.map(cache.get, [ids] * 8)}) == 1 and len(asked) == 1
    assert cache.holds(ids)


def test_the_key_of_a_read_depends_on_everything_that_decides_its_frames():
    base = ("v", [1.0, 2.0], 10, 20)
    changed = [
        ("w", [1.0, 2.0], 10, 20),
        ("v", [1.0, 2.5], 10, 20),
        ("v", [1.0, 2.0], 11, 20),
        ("v", [1.0, 2.0], 10, 21),
    ]
    assert len({read_key(*base), *(read_key(*other) for other in changed)}) == 5 and read_key(*base) == read_key(*base)


@given(text=TEXTS)
def test_a_closing_tag_is_restored_once(text):
    call = f'{text}<video_zoom>{{"segment": [0, 1], "fps": 2}}'
    assert close_zoom(call).endswith(STOP) and close_zoom(close_zoom(call)) == close_zoom(call)
    assert close_zoom("<answer>A</answer>") == "<answer>A</answer>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "final"),
    [
        (429, "slow down", "rate_limited", False),
        (429, '{"code": "insufficient_quota"}', "stopped", False),
        (529, "", "overloaded", False),
        (500, "", "server_error", False),
        (408, "", "timeout", False),
        (413, "", "too_large", False),
        (401, "", "stopped", False),
        (400, "This model's maximum context length is 4096 tokens", "context_overflow", False),
        (400, "flagged by our content management policy", "refused", True),
        (400, "messages must not be empty", "bad_request", False),
        (404, "no such model", "stopped", False),
        (422, "Unexpected keys in the request: {'seed'}", "bad_request", False),
    ],
)
def test_error_replies_are_classified(status, body, kind, final):
    outcome = read_refusal(status, body, {}, frozenset({"seed", "stop"}))
    assert (outcome.kind, outcome.final) == (kind, final)


def test_waits_are_read_from_the_headers():
    assert read_refusal(429, "", {"retry-after": "7"}, frozenset()).retry_after_s == 7
    assert read_refusal(503, "", {"retry-after-ms": "250", "retry-after": "9"}, frozenset()).retry_after_s == 0.25
    dated = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:48 GMT"}
    assert read_refusal(429, "", dated, frozenset()).retry_after_s == 12
    assert read_refusal(429, "", {"retry-after": "Wed, 21 Oct 2020 07:28:00 GMT"}, frozenset()).retry_after_s == 0
    far = read_refusal(429, "", {"retry-after": "Fri, 21 Oct 2095 07:28:00 GMT"}, frozenset()).retry_after_s
    assert far > 3600
    assert read_refusal(429, "", {"retry-after": "soon"}, frozenset()).retry_after_s is None


def test_a_lone_surrogate_is_replaced():
    body = '{"choices": [{"finish_reason": "stop", "message": {"content": "a\\ud800b"}}]}'
    assert read_completion(body, stop_sent=True).text == "a?b"
