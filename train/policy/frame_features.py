"""Features of a frozen vision tower, computed once per frame and shared by trajectories and epochs.

A video's overview is part of every trajectory about that video, and every epoch repeats it. Where the tower and the
projector are frozen, a frame's features never change. Qwen3-VL's tower also passes features to the first layers of the
language model (deepstack); they are cached with the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.policy.frame_pixels import FramePixels, FrameTensors, frame_cache, remember
from videozoomer.lake.atomic import replaced_file

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutputWithPooling


class FrameFeatures:
    """Replaces `FramePixels` in collation.

    Drops the least recently used frames once the cache exceeds `memory_bytes`.
    """

    def __init__(self, tower: nn.Module, pixels: FramePixels, *, memory_bytes: int, folder: Path | None = None) -> None:
        """`folder` also keeps the features on disk, separately for each tower and frame size."""
        self.tower = tower
        self.pixels = pixels
        self.processor = pixels.processor
        self.folder = folder / _identity(tower, pixels) if folder else None
        self.shown = self.computed = 0
        """Frames requested, and how many of them went through the tower."""
        self._cache = frame_cache(memory_bytes)

    def inputs(self, frame_ids: Sequence[str]) -> tuple[dict[str, Any], torch.Tensor]:
        """The model's inputs in place of pixels, and the frames' grids, (frames, 3)."""
        import torch

        names = list(dict.fromkeys(frame_ids))
        found = {name: kept for name in names if (kept := self._cache.get(name) or self._on_disk(name))}
        missing = [name for name in names if name not in found]
        found |= dict(self._compute(missing)) if missing else {}
        self.shown, self.computed = self.shown + len(frame_ids), self.computed + len(missing)
        remember(self._cache, found)
        pooled, *deep = torch.cat([found[name][0] for name in frame_ids], dim=1)
        return {"mm_encoder_outputs": {"image": _tower_output(pooled, deep)}}, torch.stack(
            [found[name][1] for name in frame_ids]
        )

    def clear(self) -> None:
        """Empty the cache in memory."""
        self._cache.clear()

    @property
    def cached_bytes(self) -> int:
        """Size of what the cache holds in memory."""
        return int(self._cache.currsize)

    def tokens(self, frame_id: str) -> int:
        """Visual tokens of a frame."""
        return self.pixels.tokens(frame_id)

    def _compute(self, frame_ids: list[str]) -> Iterator[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
        """Each frame with its features, (1 + deepstack layers, tokens, width), and its grid."""
        import torch

        patches, grid = self.pixels.load(frame_ids)
        weight = next(self.tower.parameters())
        with torch.no_grad():
            output = self.tower(
                patches.to(weight.device, weight.dtype), grid_thw=grid.to(weight.device), return_dict=True
            )
        layers = torch.stack([output.pooler_output, *(getattr(output, "deepstack_features", None) or [])]).cpu()
        sizes = (grid.prod(-1) // self.processor.merge_size**2).tolist()
        for name, features, own in zip(frame_ids, layers.split(sizes, dim=1), grid, strict=True):
            kept = features.clone(), own
            self._to_disk(name, *kept)
            yield name, kept

    def _path(self, frame_id: str) -> Path | None:
        return self.folder / frame_id[:2] / f"{frame_id}.safetensors" if self.folder else None

    def _on_disk(self, frame_id: str) -> FrameTensors | None:
        path = self._path(frame_id)
        if path is None or not path.exists():
            return None
        from safetensors.torch import load_file

        read = load_file(path)
        return read["features"], read["grid"]

    def _to_disk(self, frame_id: str, features: torch.Tensor, grid: torch.Tensor) -> None:
        """Atomically: other processes write the same frames."""
        path = self._path(frame_id)
        if path is None:
            return
        from safetensors.torch import save_file

        with replaced_file(path, sync=False) as partial:
            save_file({"features": features, "grid": grid.contiguous()}, partial)


def _tower_output(pooled: torch.Tensor, deep: list[torch.Tensor]) -> BaseModelOutputWithPooling:
    """Features in the form in which the model keeps its tower's output: each a tuple of one tensor per image batch."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    if not deep:
        # The library declares a tensor, but its models put a tuple there and read one.
        return BaseModelOutputWithPooling(pooler_output=(pooled,))  # type: ignore[arg-type]
    from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

    return BaseModelOutputWithDeepstackFeatures(
        pooler_output=(pooled,),  # type: ignore[arg-type]  # as above
        deepstack_features=[(layer,) for layer in deep],  # type: ignore[misc]  # as above
    )


def tower_for_features(model: PreTrainedModel, zero_stage: int) -> nn.Module:
    """The tower that computes features.

    ZeRO-3 partitions its weights, and all processes must call a partitioned module together, which a cache cannot
    guarantee. There each process gets a full copy (1.4 GB in bf16 at 7B). Every process must call this function.
    """
    tower = model.model.visual
    if zero_stage < 3:
        return tower
    import deepspeed
    import torch

    from train.policy.vision_attention import batch_vision_attention

    spread = list(tower.parameters())
    with deepspeed.zero.GatheredParameters(spread):
        weights = {name: value.detach().clone() for name, value in tower.state_dict().items()}
    example = next(iter(weights.values()))
    with torch.device(example.device):
        copy = type(tower)._from_config(tower.config, dtype=example.dtype)
    copy.load_state_dict(weights)
    batch_vision_attention(copy)
    return copy.requires_grad_(False).eval()


def _identity(tower: nn.Module, pixels: FramePixels) -> str:
    """Hash of the tower's weights and of the image processor's settings."""
    import torch

    weights = hashlib.sha256()
    for name, value in sorted(tower.state_dict().items()):
        weights.update(name.encode())
        weights.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    facts = [
        dict(pixels.processor.size),
        pixels.factor,
        list(pixels.processor.image_mean),
        list(pixels.processor.image_std),
        weights.hexdigest(),
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
