"""Write docs/recipe.md, all settings that a recipe may hold, as the code tells them: python docs/recipe_page.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_unetseg.schema.config import Recipe

PAGE = Path(__file__).resolve().parent / "recipe.md"
HEAD = ("setting", "default", "values", "what it does")
BOUNDS = {"minimum": "", "exclusiveMinimum": "above ", "maximum": "", "exclusiveMaximum": "below "}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page: what stands at the top of a recipe, then a table for each of its parts."""
    schema = Recipe.model_json_schema()
    fields, definitions = schema["properties"], schema["$defs"]
    own = {key: field for key, field in fields.items() if "$ref" not in field}
    parts = {key: definitions[field["$ref"].split("/")[-1]] for key, field in fields.items() if key not in own}
    texts = [
        "# Recipes",
        "<!-- Written by docs/recipe_page.py; change the code that it tells of. -->",
        "What `train --recipe FILE.toml` may hold, and a model's card remembers. A setting that is left out has its "
        "default; options of the command line come before the file. `[network.settings]` holds what an architecture "
        "has for itself: see [its page](networks/README.md).",
        _table(own),
    ]
    texts += [f"## [{key}]\n\n{part['description']}\n\n{_table(part['properties'])}" for key, part in parts.items()]
    return "\n\n".join(texts) + "\n"


def _table(properties: dict[str, Any]) -> str:
    return markdown_table(
        [HEAD, *(setting_row(key, schema) for key, schema in properties.items() if key != "settings")]
    )


def setting_row(key: str, schema: dict[str, Any]) -> tuple[str, ...]:
    """Return name, default, values and meaning of a setting."""
    default = schema.get("default")
    shown = "none" if default is None else f"`{json.dumps(default)}`"
    return f"`{key}`", shown, _values(schema), schema.get("description", "").replace("|", "\\|")


def _values(schema: dict[str, Any]) -> str:
    """Return the words, the range, or the kind of value that a setting takes."""
    if "anyOf" in schema:
        return " or ".join(filter(None, (_values(one) for one in schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema.get("enum") or [schema["const"]])
    if schema["type"] == "boolean":
        return "`true`, `false`"
    kinds = {"null": "", "array": "a list of whole numbers", "string": "a name", "number": "a number"}
    ends = [f"{word}{schema[key]:,}" for key, word in BOUNDS.items() if key in schema]
    return " to ".join(ends) or kinds[schema["type"]]


def markdown_table(rows: list[tuple[str, ...]]) -> str:
    """Return rows in Markdown, of which the first is the head."""
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *others])


if __name__ == "__main__":
    main()
