"""The base of all configurations: validated, immutable, and named by a hash of what decides the numbers."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Frozen", "label"]


class Frozen(BaseModel):
    """Base of all configurations: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def scientific(self) -> dict:
        """Return the non-default fields that decide the numbers, as plain data (fields marked ``label`` left out)."""
        fields = type(self).model_fields
        labels = {name for name, field in fields.items() if (field.json_schema_extra or {}).get("label")}
        plain = self.model_dump(mode="json", exclude_defaults=True, exclude=labels)
        parts = {name: getattr(self, name) for name in plain}
        plain |= {name: part.scientific() for name, part in parts.items() if isinstance(part, Frozen)}
        return {name: value for name, value in plain.items() if value != {}}

    def sha256(self) -> str:
        """Return the hash of the canonical JSON of the scientific fields."""
        text = json.dumps(self.scientific(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def label(default, description: str, **limits):
    """Declare a field that names or tunes the execution and never changes what is trained."""
    return Field(default, description=description, json_schema_extra={"label": True}, **limits)
