"""Money is reserved before it is spent, never exceeds the cap, and is never paid twice for one call."""

import pytest
from builders import frames_at
from chat_server import ChatServer
from distill_world import make_items
from hypothesis import given
from hypothesis import strategies as st

from distill.client.chat import ChatPlayer
from distill.client.costs import cost_usd, frame_tokens, upper_bound
from distill.client.errors import BudgetSpent, EndpointDown
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.budget import Budget
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger, read_entries
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import DistillSettings, Endpoint, Prices

PRICES = Prices(input_per_million=2, output_per_million=10, image_tokens=100)


@pytest.fixture
def store(tmp_path):
    with FrameStore(tmp_path / "frames.sqlite") as opened:
        yield opened


def run(server, store, home, cap, jobs, **fields):
    chosen = Endpoint(
        base_url=server.url, identity="test", prices=PRICES, max_tokens=100, concurrency=8, timeout_s=1, **fields
    )
    with Ledger(home / "ledger.sqlite") as ledger, Budget(home / "budget.sqlite", cap) as budget:
        try:
            player = ChatPlayer(chosen, ledger, store, budget=budget)
            return EpisodeRunner(player, frames_at, store, Protocol(), load_prompts("v1"), 8).play_all(jobs)
        finally:
            run.balance = budget.balance()


def paid(home):
    return sum(entry.cost_usd for entry in read_entries(home / "ledger.sqlite"))


def test_the_cap_is_never_exceeded_and_finishing_costs_only_the_rest(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 30), DistillSettings(samples=1)))
    with ChatServer(latency_s=0.01) as server:
        run(server, store, tmp_path / "free", 1e9, jobs)
        need = paid(tmp_path / "free")
        assert need == pytest.approx(60 * (1000 * 2 + 50 * 10) / 1e6)
        home, cap = tmp_path / "capped", 0.6 * need
        with pytest.raises(BudgetSpent, match=r"raise distill\.budget_usd"):
            run(server, store, home, cap, jobs)
        assert 0.4 * need < paid(home) <= cap and run.balance.reserved_usd == 0
        assert len(run(server, store, home, need + 0.05, jobs)) == 30
        assert paid(home) == pytest.approx(need) == pytest.approx(run.balance.paid_usd)
        assert server.counts["calls"] == 120


def test_a_call_that_may_have_been_billed_stays_reserved(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)))
    with ChatServer(behave=lambda number, body: "hang" if number == 0 else None) as server:
        run(server, store, tmp_path, 1.0, jobs)
    assert run.balance.reserved_usd > 0
    with Budget(tmp_path / "budget.sqlite", 1.0) as budget:
        assert budget.forgive() == pytest.approx(run.balance.reserved_usd) and budget.balance().reserved_usd == 0


def test_rejected_and_unsent_calls_reserve_nothing(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 2), DistillSettings(samples=1)))
    with ChatServer(behave=lambda number, body: "429" if number < 3 else None) as server:
        run(server, store, tmp_path, 1.0, jobs)
    assert run.balance.reserved_usd == 0 and run.balance.paid_usd == pytest.approx(paid(tmp_path))


def test_a_dead_server_leaves_no_reservation(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 20), DistillSettings(samples=1)))
    with ChatServer() as server:
        pass
    with pytest.raises(EndpointDown):
        run(server, store, tmp_path, 1.0, jobs, model="rule-player", dead_after_s=0.5)
    assert run.balance.reserved_usd == 0 and run.balance.paid_usd == 0


def test_after_a_kill_recorded_calls_are_settled_and_others_stay_reserved(store, tmp_path):
    jobs = list(exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)))
    with ChatServer() as server:
        run(server, store, tmp_path, 1.0, jobs)
        first = next(iter(read_entries(tmp_path / "ledger.sqlite")))
        with Ledger(tmp_path / "ledger.sqlite") as ledger, Budget(tmp_path / "budget.sqlite", 1.0) as budget:
            assert budget.reserve(ledger, first.key, first.attempt, 0.2)  # recorded, not yet settled
            assert budget.reserve(ledger, "lost", 0, 0.3)  # in flight when the machine lost power
        run(server, store, tmp_path, 1.0, jobs)
    assert run.balance.reserved_usd == pytest.approx(0.3) and run.balance.paid_usd == pytest.approx(paid(tmp_path))


def test_two_processes_share_one_cap(store, tmp_path):
    path = tmp_path / "budget.sqlite"
    with (
        Ledger(tmp_path / "a.sqlite") as one,
        Ledger(tmp_path / "b.sqlite") as two,
        Budget(path, 1.0) as first,
        Budget(path, 1.0) as second,
    ):
        assert first.reserve(one, "k", 0, 0.7) and not second.reserve(two, "k", 0, 0.7)
        first.settle(one, "k", 0, 0.2)
        assert second.reserve(two, "k", 0, 0.7) and second.balance().free_usd == pytest.approx(0.1)


@given(text=st.text(max_size=200), images=st.integers(0, 128), output=st.integers(0, 100))
def test_the_bound_is_never_below_the_cost(text, images, output):
    chosen = Endpoint(base_url="http://x", prices=PRICES, max_tokens=100)
    bound = upper_bound(chosen, len(text.encode()) + 200, images * 100)
    # A byte-level tokenizer makes at most one token of a byte.
    assert cost_usd(PRICES, len(text.encode()) + images * 100, 0, output) <= bound.cost_usd


@pytest.mark.parametrize(
    ("rule", "size", "tokens"),
    [
        ("fixed", (420, 236), 258),
        ("qwen", (420, 224), 15 * 8 + 2),
        ("gemini", (420, 236), 258),
        ("gemini", (320, 240), 258),
        ("openai", (420, 236), 255),
        ("openai", (1920, 1080), 1105),
    ],
)
def test_frames_count_by_the_providers_rule(rule, size, tokens):
    assert frame_tokens(Prices(image_rule=rule), *size) == tokens


def test_cached_input_has_its_own_price():
    prices = Prices(input_per_million=10, cached_input_per_million=1, output_per_million=0)
    assert cost_usd(prices, 1_000_000, 400_000, 5) == pytest.approx(6.4)


def test_a_reply_without_token_counts_is_priced_at_its_upper_bound(store, tmp_path):
    import json

    jobs = list(exemplar_jobs(make_items(store, 1), DistillSettings(samples=1)))
    silent = json.dumps(
        {"choices": [{"finish_reason": "stop", "message": {"content": "<think>x</think><answer>A</answer>"}}]}
    ).encode()
    with ChatServer(behave=lambda number, body: (200, {}, silent)) as server:
        (row,) = run(server, store, tmp_path, 1.0, jobs)
    assert row["cost_usd"] >= (4 * 100 * 2 + 100 * 10) / 1e6
