"""JSON Schemas of task files and mixtures, by which an editor completes and checks keys while a person types.

    # yaml-language-server: $schema=../../schemas/task.schema.json

The schemas follow from the models. What a schema cannot express, such as names that must agree, `flanbuild check`
reports.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from flanbuild.declare.document import SEGMENT
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import SCALARS, Task

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "schemas"
"""Where the schemas lie, below the folder of the mixtures."""

SchemaName = Literal["task", "mixture"]
Schema = dict[str, Any]

_COLUMN_TYPE: Schema = {
    "description": "A type: a name, [type] for a list, {name: type} for a struct.",
    "anyOf": [
        {"enum": list(SCALARS)},
        {"type": "array", "items": {"$ref": "#/$defs/ColumnType"}, "minItems": 1, "maxItems": 1},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/ColumnType"}},
    ],
}


def task_file_schema() -> Schema:
    """The schema of a task file: the keys of a task without those that its position gives, and `subsets`.

    With `subsets`, each key may stand in the file, in the subsets, or in both.
    """
    schema = _schema(Task, {"name", "dataset", "cluster", "path"})
    schema["title"] = "flanbuild task file"
    schema["description"] = "One dataset: docs/task-files.md describes the format."
    properties, required = schema["properties"], schema.pop("required")
    properties["columns"]["additionalProperties"] = {"$ref": "#/$defs/ColumnType"}
    schema["$defs"]["ColumnType"] = _COLUMN_TYPE
    source = schema["$defs"]["SourceDeclaration"]
    source["required"].remove("repo")
    source["anyOf"] = [{"required": ["repo"]}, {"required": ["files"]}]
    subset = {
        "type": "object",
        "properties": {key: {"$ref": f"#/properties/{key}"} for key in properties},
        "additionalProperties": False,
    }
    properties["subsets"] = {
        "description": "Subset → the keys that it replaces. Each subset is a task named <dataset>/<subset>.",
        "type": "object",
        "minProperties": 1,
        "patternProperties": {SEGMENT: subset},
        "additionalProperties": False,
    }
    schema["anyOf"] = [{"required": required}, {"required": ["subsets"]}]
    return schema


def mixture_schema() -> Schema:
    """The schema of a mixture file."""
    schema = _schema(Mixture, {"name", "path"})
    schema["title"] = "flanbuild mixture"
    schema["description"] = "A mixture: docs/mixtures.md describes every key."
    schema.pop("required", None)
    return schema


SCHEMAS: Mapping[SchemaName, Callable[[], Schema]] = {"task": task_file_schema, "mixture": mixture_schema}


def schema_text(name: SchemaName) -> str:
    """The schema as the text of `mixtures/schemas/<name>.schema.json`."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


def _schema(model: type[Task] | type[Mixture], derived: set[str]) -> Schema:
    """The model's schema without the keys in `derived`, which are not written in the file."""
    schema: Schema = {"$schema": DIALECT, **_plain(model.model_json_schema())}
    for key in derived:
        del schema["properties"][key]
    schema["required"] = [key for key in schema.get("required", []) if key not in derived]
    return schema


def _plain(node: Any) -> Any:
    """Without pydantic's titles of properties, and with names that match no pattern refused."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {
        key: _plain(value) for key, value in node.items() if not (key == "title" and "properties" not in node)
    }
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain
