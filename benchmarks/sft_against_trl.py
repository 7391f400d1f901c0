"""Fine-tuning here and by TRL's SFTTrainer: the same data set, policy, batch and number of threads.

    python -m benchmarks.sft_against_trl runs/demo/shards/sft --steps 6

TRL reads what `shards.export` writes for it. Prints tokens a CPU second (median over the steps but the first) and peak memory
of each, both in a process of its own. Both take the loss on the policy's turns only.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from recipes.model import Endpoint, PolicySettings, Recipe, SftSettings, Source

MARKED = """{% for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['role'] == 'assistant' %}{% generation %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}<|im_end|>{% endgeneration %}
{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}"""
"""The chat template with the marks that TRL takes for what is trained."""


def ours(shards: Path, out: Path, recipe: Path) -> None:
    from train import journal, sft

    ends: list[float] = []
    kept = journal.Journal.step

    def step(self: journal.Journal, *given: object, **more: object) -> None:
        ends.append(time.process_time())
        kept(self, *given, **more)

    journal.Journal.step = step
    sft.main(["--shards", str(shards), "--out", str(out), "--recipe", str(recipe)])
    tokens = [json.loads(line)["tokens"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    _print("train.sft", [count / (end - start) for count, start, end in zip(tokens[1:], ends, ends[1:], strict=False)])


def by_trl(shards: Path, out: Path, checkpoint: Path, steps: int, batch: int, micro: int) -> None:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from datasets import Image, List, load_dataset
    from transformers import Qwen2_5_VLProcessor, TrainerCallback
    from transformers.processing_utils import ProcessorMixin
    from trl import SFTConfig, SFTTrainer

    from shards.export import export
    from shards.read import ShardSet
    from train.policy import load_policy

    class Processor(Qwen2_5_VLProcessor):
        """Without the video processor, whose base needs torchvision."""

        def __init__(self, image_processor=None, tokenizer=None, chat_template=None, **_: object) -> None:
            for name, token in (("image", "<|image_pad|>"), ("video", "<|video_pad|>"), ("vision_start", "<|vision_start|>"), ("vision_end", "<|vision_end|>")):
                setattr(self, f"{name}_token", token)
                setattr(self, f"{name}_token_id", tokenizer.convert_tokens_to_ids(token))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

        @property
        def model_input_names(self) -> list[str]:
            return ["input_ids", "attention_mask", "mm_token_type_ids", "pixel_values", "image_grid_thw"]

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.began_s = time.process_time()

        def on_step_end(self, *_: object, **__: object) -> None:
            self.seconds.append(time.process_time() - self.began_s)

    export(ShardSet(shards), "trl", out / "data")
    data = load_dataset("parquet", data_files=str(out / "data" / "train.parquet"), cache_dir=str(out / "cache"))["train"]
    data = data.select_columns(["messages", "images"]).cast_column("images", List(Image()))
    policy = load_policy(checkpoint)
    policy.tokenizer.chat_template = MARKED
    processor = Processor(policy.image_processor, policy.tokenizer, chat_template=MARKED)
    clock = Clock()
    arguments = SFTConfig(
        output_dir=str(out / "trl"), per_device_train_batch_size=micro, gradient_accumulation_steps=batch // micro, max_steps=steps, report_to=[],
        use_cpu=True, bf16=False, assistant_only_loss=True, max_length=None, learning_rate=1e-3, gradient_checkpointing=False, save_strategy="no",
        logging_steps=1, include_num_input_tokens_seen="non_padding", disable_tqdm=True,
    )
    trainer = SFTTrainer(model=policy.model, args=arguments, train_dataset=data, processing_class=processor, callbacks=[clock])
    trainer.train()
    seen = [entry["num_input_tokens_seen"] for entry in trainer.state.log_history if "num_input_tokens_seen" in entry][:steps]
    tokens = [after - before for before, after in zip([0, *seen[:-1]], seen, strict=True)]
    _print("TRL SFTTrainer", [count / seconds for count, seconds in zip(tokens, clock.seconds, strict=True)][1:])


def _print(name: str, rates: list[float]) -> None:
    import resource

    print(f"{name}: {statistics.median(rates):.0f} tokens a CPU second, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB at most", flush=True)


def main(shards: Path, steps: int = 6, batch: int = 4, micro: int = 4, threads: int = 1, part: str = "") -> None:
    if part:
        folder = Path(part.partition(":")[2])
        if part.startswith("ours"):
            return ours(shards, folder / "ours", folder / "recipe.json")
        return by_trl(shards, folder, folder / "ours" / "start", steps, batch, micro)
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe(
            name="bench", home=folder, sources=(Source(name="s", videos="none", questions="none"),), teacher=Endpoint(base_url="http://none"),
            policy=PolicySettings(train_min_pixels=784, train_max_pixels=3136, freeze_vision=False),
            sft=SftSettings(
                max_steps=steps, batch_size=batch, micro_batch_size=micro, learning_rate=1e-3, zero_stage=0, bf16=False, gradient_checkpointing=False
            ),
        )
        (Path(folder) / "recipe.json").write_text(recipe.model_dump_json())
        for name in ("ours", "trl"):
            command = [sys.executable, "-m", "benchmarks.sft_against_trl", str(shards), "--steps", str(steps), "--batch", str(batch), "--micro", str(micro), "--part", f"{name}:{folder}"]
            subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    typer.run(main)
