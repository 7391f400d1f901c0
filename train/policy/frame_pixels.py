"""Frame JPEGs as patches for the vision tower. A memory-bounded cache processes each frame once."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from cachetools import LRUCache

if TYPE_CHECKING:
    import torch
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil


FrameTensors: TypeAlias = "tuple[torch.Tensor, torch.Tensor]"
"""What is cached of a frame, and its grid."""


def frame_cache(max_bytes: int) -> LRUCache[str, FrameTensors]:
    """Frame id -> tensors; drops the least recently used frames once they exceed `max_bytes`."""
    return LRUCache(max_bytes, getsizeof=lambda tensors: tensors[0].nbytes)


def remember(cache: LRUCache[str, FrameTensors], tensors: Mapping[str, FrameTensors]) -> None:
    """Add frames, or mark them as just used; a frame larger than the cache is skipped."""
    for frame_id, own in tensors.items():
        if own[0].nbytes <= cache.maxsize:
            cache[frame_id] = own


class FramePixels:
    """Drops the least recently used frames once the cache exceeds `cache_bytes`."""

    def __init__(
        self, processor: Qwen2VLImageProcessorPil, jpeg: Callable[[str], bytes], *, cache_bytes: int = 256 * 2**20
    ) -> None:
        self.processor = processor
        self.jpeg = jpeg
        self._cache = frame_cache(cache_bytes)

    @property
    def factor(self) -> int:
        """Side of the square that becomes one token, in pixels."""
        return self.processor.patch_size * self.processor.merge_size

    def tokens_of_size(self, width: int, height: int) -> int:
        """Visual tokens of a frame of this size in pixels, by the processor's own rule."""
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

        size = self.processor.size
        rows, columns = smart_resize(height, width, self.factor, size["shortest_edge"], size["longest_edge"])
        return (rows // self.factor) * (columns // self.factor)

    @property
    def cached_bytes(self) -> int:
        """Size of what the cache holds in memory."""
        return int(self._cache.currsize)

    def disable_cache(self) -> None:
        """Cache nothing: for a caller that caches what it makes of the pixels."""
        self._cache = frame_cache(0)

    def tokens(self, frame_id: str) -> int:
        """Visual tokens of a frame, counted on the frame itself."""
        return int(self.load([frame_id])[1].prod()) // self.processor.merge_size**2

    def inputs(self, frame_ids: Sequence[str]) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The model's inputs for these frames, and their grids, (frames, 3)."""
        patches, grid = self.load(frame_ids)
        return {"pixel_values": patches, "image_grid_thw": grid}, grid

    def load(self, frame_ids: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches of all frames in order, (patches, values), and their grids, (frames, 3)."""
        import torch
        from PIL import Image

        missing = [frame_id for frame_id in dict.fromkeys(frame_ids) if frame_id not in self._cache]
        fresh: dict[str, FrameTensors] = {}
        if missing:
            images = [Image.open(io.BytesIO(self.jpeg(frame_id))).convert("RGB") for frame_id in missing]
            batch = self.processor(images=images, return_tensors="pt")
            pieces = batch["pixel_values"].split(batch["image_grid_thw"].prod(-1).tolist())
            fresh = {
                name: (piece.clone(), grid)
                for name, piece, grid in zip(missing, pieces, batch["image_grid_thw"], strict=True)
            }
        found = [fresh[frame_id] if frame_id in fresh else self._cache[frame_id] for frame_id in frame_ids]
        remember(self._cache, fresh)
        return torch.cat([patches for patches, _ in found]), torch.stack([grid for _, grid in found])
