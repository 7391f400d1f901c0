"""Size of the proof, and the recipe for its training runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from experiments.proof.world import World
from videozoomer.settings.model import Recipe


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    seeds: tuple[int, ...]
    warmup_films: int
    train_films: int
    test_films: int
    test_each: int
    """Questions per held-out film."""
    warmup_rows: int
    """Rows of each kind per warm-up film."""
    warmup_steps: int
    talk_steps: int
    """Steps of the warm-up's second half; 0 mixes its rows into the first half."""
    exemplar_questions: int
    student_steps: int
    failed_questions: int
    """Questions the student plays; the teacher reflects on the failures."""
    sft_steps: int
    uniform_steps: int
    """Steps of the single-turn baseline; 0 skips training it."""
    rl_rounds: int
    """Rounds of GRPO; 0 skips it."""
    world: World
    batch_size: int = 16
    learning_rate: float = 1e-3
    """Learning rate of fine-tuning."""

    @property
    def baselines(self) -> tuple[str, ...]:
        return ("uniform-teacher", "uniform") if self.uniform_steps else ("uniform-teacher",)

    @property
    def last(self) -> str:
        """Stage that produced the last policy."""
        return "rl" if self.rl_rounds else "sft"


FULL = Plan(
    "full",
    (0, 1, 2),
    warmup_films=500,
    train_films=300,
    test_films=100,
    test_each=4,
    warmup_rows=6,
    warmup_steps=1400,
    talk_steps=150,
    exemplar_questions=400,
    student_steps=40,
    failed_questions=300,
    sft_steps=80,
    uniform_steps=190,
    rl_rounds=32,
    world=World(),
)
QUICK = Plan(
    "quick",
    (0,),
    warmup_films=80,
    train_films=150,
    test_films=30,
    test_each=2,
    warmup_rows=8,
    warmup_steps=580,
    talk_steps=0,
    exemplar_questions=300,
    student_steps=50,
    failed_questions=60,
    sft_steps=150,
    uniform_steps=0,
    rl_rounds=0,
    world=World(scenes=2, textures=("plain",)),
    batch_size=8,
)
"""Two scenes a film that differ in colour alone, and smaller steps: a third of the tokens suffices. GRPO is
left out: the few rounds that fit into minutes show no effect.
"""


def recipe_for(home: Path, plan: Plan) -> Recipe:
    """Protocol numbers for 45-second films and a policy with one visual token a frame."""
    return Recipe.model_validate(
        {
            "name": "proof",
            "home": str(home),
            "sources": [{"name": "films", "videos": str(home / "films"), "questions": str(home / "questions.jsonl")}],
            "teacher": {"base_url": "http://127.0.0.1:9/v1"},
            "protocol": {
                "overview_fps": 0.25,
                "overview_frames": 12,
                "min_pixels": 784,
                "max_pixels": 784,
                "prompts": "brief",
            },
            "policy": {
                "freeze_vision": False,
                "tiny": {"hidden_size": 128, "layers": 4, "heads": 4, "key_value_heads": 2, "vocabulary": 1024},
            },
            "sft": {
                "learning_rate": 2e-3,
                "batch_size": plan.batch_size,
                "micro_batch_size": plan.batch_size,
                "warmup_share": 0.05,
                "zero_stage": 0,
                "bf16": False,
                "gradient_checkpointing": False,
                "epochs": 100,
                "checkpoint_steps": 200,
                "packing": True,
            },
            "rl": {
                "enabled": True,
                "learning_rate": 1e-4,
                "temperature": 0.6,
                "prompts": 16,
                "group": 8,
                "mini_batch": 16,
                "episodes_at_once": 128,
                "redraws": 1,
                "forward_at_once": 8,
                "overview_budgets": [12],
                "kl": 0.001,
                "entropy": 0.0,
                "max_new_tokens": 100,
                "max_tokens": 2048,
                "zero_stage": 0,
                "bf16": False,
                "checkpoint_steps": 10,
            },
        }
    )
