"""The base of every section of a recipe: validated, frozen, and with a digest of the values that decide results."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveNumber = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]


class Operational:
    """Marks a field that changes how a run proceeds (speed, limits, money), never its results: `Annotated[int,
    OPERATIONAL]`. Such a field is left out of the digest, so changing it makes no result stale."""


OPERATIONAL = Operational()


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)

    @classmethod
    def operational_fields(cls) -> frozenset[str]:
        """Names of the fields marked OPERATIONAL."""
        return frozenset(
            name
            for name, field in cls.model_fields.items()
            if any(isinstance(mark, Operational) for mark in field.metadata)
        )

    def _left_out(self) -> frozenset[str]:
        """Fields that the digest leaves out."""
        return self.operational_fields()

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, given: Any) -> Any:
        """A section whose fields are all commented out has its defaults."""
        return {} if given is None else given

    def digest(self) -> str:
        """Hash of the values that decide results; part of the stamp of every asset that depends on them."""
        left_out = self._left_out()
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in left_out}
        plain = {name: value.digest() if isinstance(value, Settings) else value for name, value in values.items()}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:16]
