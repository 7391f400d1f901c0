"""Features of a frozen vision tower, computed once a frame and shared by trajectories and epochs.

A video's overview stands in every trajectory of its questions, and every epoch shows it again. Where the tower and the
projector are not trained, what they make of a frame never changes. Qwen3-VL's tower also hands features to the first
layers of the language model (deepstack); they are kept beside the others.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train.policy.frame_pixels import FramePixels
from videozoomer.lake.atomic import replaced_file

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedModel


class FrameFeatures:
    """Stands where `FramePixels` does in collation. Least recently used frames leave memory once `memory_bytes` are held."""

    def __init__(self, tower: nn.Module, pixels: FramePixels, *, memory_bytes: int, folder: Path | None = None) -> None:
        """`folder` keeps every frame's features on disk as well, apart for each tower and size of frames."""
        self.tower = tower
        self.pixels = pixels
        self.processor = pixels.processor
        self.memory_bytes = memory_bytes
        self.folder = folder / _identity(tower, pixels) if folder else None
        self.shown = self.computed = 0
        """Frames asked for, and those among them that the tower had to see."""
        self._kept: OrderedDict[str, tuple[torch.Tensor, torch.Tensor]] = OrderedDict()
        self._bytes = 0

    def inputs(self, frame_ids: Sequence[str]) -> tuple[dict[str, Any], torch.Tensor]:
        """What the model takes in place of pixels, and the frames' grids, (frames, 3)."""
        import torch
        from transformers.modeling_outputs import BaseModelOutputWithPooling

        names = list(dict.fromkeys(frame_ids))
        found = {name: kept for name in names if (kept := self._kept.get(name) or self._on_disk(name))}
        missing = [name for name in names if name not in found]
        found |= dict(self._compute(missing)) if missing else {}
        self.shown, self.computed = self.shown + len(frame_ids), self.computed + len(missing)
        self._keep(found)
        pooled, *deep = torch.cat([found[name][0] for name in frame_ids], dim=1)
        if deep:
            from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

            output = BaseModelOutputWithDeepstackFeatures(
                pooler_output=(pooled,), deepstack_features=[(one,) for one in deep]
            )
        else:
            output = BaseModelOutputWithPooling(pooler_output=(pooled,))
        return {"mm_encoder_outputs": {"image": output}}, torch.stack([found[name][1] for name in frame_ids])

    def clear(self) -> None:
        """Forget what is held in memory."""
        self._kept.clear()
        self._bytes = 0

    def tokens(self, frame_id: str) -> int:
        """Visual tokens of a frame."""
        return self.pixels.tokens(frame_id)

    def _compute(self, frame_ids: list[str]) -> Iterator[tuple[str, tuple[torch.Tensor, torch.Tensor]]]:
        """Features of each frame, (1 + deepstack layers, tokens, width), and its grid."""
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

    def _keep(self, used: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> None:
        for name, kept in used.items():
            if name not in self._kept:
                self._kept[name] = kept
                self._bytes += kept[0].nbytes
            self._kept.move_to_end(name)
        while self._bytes > self.memory_bytes:
            _, (features, _) = self._kept.popitem(last=False)
            self._bytes -= features.nbytes

    def _path(self, frame_id: str) -> Path:
        return self.folder / frame_id[:2] / f"{frame_id}.safetensors"

    def _on_disk(self, frame_id: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        if self.folder is None or not self._path(frame_id).exists():
            return None
        from safetensors.torch import load_file

        read = load_file(self._path(frame_id))
        return read["features"], read["grid"]

    def _to_disk(self, frame_id: str, features: torch.Tensor, grid: torch.Tensor) -> None:
        """Whole or not at all: other processes write the same frames."""
        if self.folder is None:
            return
        from safetensors.torch import save_file

        with replaced_file(self._path(frame_id), sync=False) as partial:
            save_file({"features": features, "grid": grid.contiguous()}, partial)


def own_tower(model: PreTrainedModel, zero_stage: int) -> nn.Module:
    """The tower to compute features with.

    ZeRO-3 spreads its weights, and every call of a spread module must be made by all processes at once, which a cache
    cannot promise; so there each process gets a whole copy (1.4 GB in bf16 at 7B). Every process must call this.
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
    """Hash of the tower's weights and of how frames become patches."""
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
