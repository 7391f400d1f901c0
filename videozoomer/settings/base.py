"""What every section of a recipe is: checked, frozen, and with a digest of what decides the outcome."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    operational: ClassVar[frozenset[str]] = frozenset()
    """Fields that change how a run goes (speed, limits, money), never what comes out of it."""

    def _undecisive(self) -> frozenset[str]:
        return self.operational

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, given: Any) -> Any:
        """A section whose fields are all commented out is the section with its defaults."""
        return {} if given is None else given

    def digest(self) -> str:
        """Hash of the values that decide what comes out: part of the stamp of every asset that depends on them."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in self._undecisive()}
        plain = {name: value.digest() if isinstance(value, Settings) else value for name, value in values.items()}
        return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()[:16]
