"""The JSON schemas of docs/: `validate` judges a report, `validate_map` an address map.

jsonschema.validate would judge the schema itself at each call, which takes a hundred times as long as a report: here
that is done once."""

import functools
import json
import pathlib

import jsonschema

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


@functools.cache
def validator(name):
    """What judges by docs/NAME.schema.json, which is a valid schema itself."""
    schema = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validate(report):
    """Raises jsonschema.ValidationError unless it is a valid report."""
    validator("report").validate(report)


def validate_map(content):
    validator("map").validate(content)
