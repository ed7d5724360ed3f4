"""The base of all settings."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """Frozen base: unknown keys are refused, changes are validated copies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with `changes` applied and validated."""
        return type(self).model_validate({**self.model_dump(), **changes})
