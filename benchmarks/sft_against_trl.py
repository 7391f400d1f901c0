"""Fine-tuning here and with TRL's SFTTrainer: equal data set, policy, batch size and threads.

    python -m benchmarks.sft_against_trl runs/demo/shards/sft --rounds 3            # train everything
    python -m benchmarks.sft_against_trl runs/demo/shards/sft --rounds 3 --frozen   # freeze tower and projector

TRL reads the output of `videozoomer.shards.export`. Each side runs in a separate process, alternating over rounds.
Prints tokens per CPU second (median and extremes over all steps but the first of each round), peak memory, and our
share of time per phase. Both take the loss on the policy's turns only and use the given number of threads.
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

from benchmarks.step_times import run_sft
from videozoomer.settings.model import Endpoint, PolicySettings, Recipe, SftSettings, Source

PHASES = ("loading", "vision", "forward", "backward", "optimiser")
MARKED = Path(__file__).with_name("trl_sft.jinja").read_text()
"""The chat template with the marks TRL derives the loss mask from."""


def ours(shards: Path, out: Path, recipe: Path) -> None:
    ends = run_sft(shards, out, recipe)
    tokens = [json.loads(line)["tokens"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    summary = json.loads((out / "summary.json").read_text())
    shares = {name: summary[f"{name}_share"] for name in PHASES}
    _report([count / (end - start) for count, start, end in zip(tokens[1:], ends, ends[1:], strict=False)], shares)


def by_trl(shards: Path, out: Path, checkpoint: Path, steps: int, batch: int, micro: int, frozen: bool) -> None:
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from datasets import Image, List, load_dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from benchmarks.trl_processor import Processor
    from train.policy.checkpoint import freeze_vision, load_policy
    from videozoomer.shards.export import export
    from videozoomer.shards.read import ShardSet

    class StepTimer(TrainerCallback):
        def __init__(self) -> None:
            self.seconds: list[float] = []

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.began_s = time.process_time()

        def on_step_end(self, *_: object, **__: object) -> None:
            self.seconds.append(time.process_time() - self.began_s)

    export(ShardSet(shards), "trl", out / "data")
    data = load_dataset("parquet", data_files=str(out / "data" / "train.parquet"), cache_dir=str(out / "cache"))[
        "train"
    ]
    data = data.select_columns(["messages", "images"]).cast_column("images", List(Image()))
    policy = load_policy(checkpoint)
    if frozen:
        freeze_vision(policy.model)
    policy.tokenizer.chat_template = MARKED
    processor = Processor(policy.image_processor, policy.tokenizer, chat_template=MARKED)
    timer = StepTimer()
    arguments = SFTConfig(
        output_dir=str(out / "trl"),
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=batch // micro,
        max_steps=steps,
        report_to=[],
        use_cpu=True,
        bf16=False,
        assistant_only_loss=True,
        max_length=None,
        learning_rate=1e-3,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_steps=1,
        include_num_input_tokens_seen="non_padding",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=policy.model, args=arguments, train_dataset=data, processing_class=processor, callbacks=[timer]
    )
    trainer.train()
    seen = [entry["num_input_tokens_seen"] for entry in trainer.state.log_history if "num_input_tokens_seen" in entry][
        :steps
    ]
    tokens = [after - before for before, after in zip([0, *seen[:-1]], seen, strict=True)]
    _report([count / seconds for count, seconds in zip(tokens, timer.seconds, strict=True)][1:], {})


def _report(rates: list[float], shares: dict[str, float]) -> None:
    import resource

    print(
        json.dumps(
            {"rates": rates, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "shares": shares}
        ),
        flush=True,
    )


def main(
    shards: Path,
    steps: int = 5,
    batch: int = 4,
    micro: int = 4,
    threads: int = 1,
    rounds: int = 1,
    frozen: bool = False,
    part: str = "",
) -> None:
    if part:
        folder = Path(part.partition(":")[2])
        if part.startswith("ours"):
            return ours(shards, folder / "ours", folder / "recipe.json")
        return by_trl(shards, folder, folder / "ours" / "start", steps, batch, micro, frozen)
    found: dict[str, list[dict]] = {"ours": [], "trl": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            recipe = Recipe(
                name="bench",
                home=scratch,
                sources=(Source(name="s", videos="none", questions="none"),),
                teacher=Endpoint(base_url="http://none"),
                policy=PolicySettings(train_min_pixels=784, train_max_pixels=3136, freeze_vision=frozen),
                sft=SftSettings(
                    max_steps=steps,
                    batch_size=batch,
                    micro_batch_size=micro,
                    learning_rate=1e-3,
                    zero_stage=0,
                    bf16=False,
                    gradient_checkpointing=False,
                ),
            )
            (Path(scratch) / "recipe.json").write_text(recipe.model_dump_json())
            for name, runs in found.items():
                command = [
                    sys.executable,
                    "-m",
                    "benchmarks.sft_against_trl",
                    str(shards),
                    "--part",
                    f"{name}:{scratch}",
                ]
                command += [
                    "--steps",
                    str(steps),
                    "--batch",
                    str(batch),
                    "--micro",
                    str(micro),
                    *(["--frozen"] if frozen else []),
                ]
                environment = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
                done = subprocess.run(
                    command, check=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
                runs.append(json.loads(done.stdout.splitlines()[-1]))
                print(f"{name}: {statistics.median(runs[-1]['rates']):.0f}", flush=True)
    for name, runs in found.items():
        rates = [rate for run in runs for rate in run["rates"]]
        title = "train.sft" if name == "ours" else "TRL SFTTrainer"
        print(
            f"{title}: {statistics.median(rates):.0f} tokens per CPU second "
            f"({min(rates):.0f} to {max(rates):.0f}), {statistics.median(run['memory_mb'] for run in runs):.0f} MB peak"
        )
    print(", ".join(f"{name} {statistics.median(run['shares'][name] for run in found['ours']):.0%}" for name in PHASES))


if __name__ == "__main__":
    typer.run(main)
