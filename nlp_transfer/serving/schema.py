"""What requests and answers look like, for the server's OpenAPI page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nlp_transfer.data.columns import CANDIDATES
from nlp_transfer.data.items import Role
from nlp_transfer.inference.predictor import Predictor
from nlp_transfer.serving.limits import Limits
from nlp_transfer.serving.models import FIRST_TEXT

Schema = dict[str, Any]

_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
    "additionalProperties": False,
}
_REASONS = {
    400: "This is not JSON.",
    401: "The token is missing, or is another.",
    404: "There is no such model.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not said to be JSON, or is compressed.",
    422: "This JSON holds no texts, too many or too long ones, or what no model reads.",
    500: "The server is at fault; its log says why.",
    503: "Too much waits, or the answer took too long. Come again after Retry-After seconds.",
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe refusals."""
    content = {"application/json": {"schema": _ERROR}}
    return {status: {"description": _REASONS[status], "content": content} for status in statuses}


def request_body(models: Mapping[str, Predictor], limits: Limits) -> Schema:
    """Describe the body of a request."""
    text = {"type": "string", "maxLength": limits.characters, "pattern": "^[^\\u0000]*$"}
    items: list[Schema] = [text, *_fields(models, text)]
    if all(model.task.results.word_lists for model in models.values()):
        items.append(_list(text))
    texts = {"type": "array", "minItems": 1, "maxItems": limits.texts, "items": {"anyOf": items}}
    model = {
        "anyOf": [{"type": "string", "enum": [*models]}, {"type": "null"}],
        "description": f"{next(iter(models))} if left out.",
    }
    schema = {
        "type": "object",
        "required": ["texts"],
        "additionalProperties": False,
        "properties": {"texts": texts, "model": model},
        "example": {"texts": [FIRST_TEXT]},
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def answer(models: Mapping[str, Predictor], first: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an answer.

    first: the result of `FIRST_TEXT` by the first model
    """
    schema = {
        "type": "object",
        "required": ["model", "results"],
        "additionalProperties": False,
        "properties": {
            "model": {"type": "string", "enum": [*models]},
            "results": {
                "type": "array",
                "minItems": 1,
                "description": "One a text, in their order: the objects of `nlpt predict`.",
                "items": {"type": "object"},
            },
        },
        "example": {"model": next(iter(models)), "results": [first]},
    }
    content = {"application/json": {"schema": schema}}
    return {"description": "The results.", "content": content}


def _fields(models: Mapping[str, Predictor], text: Schema) -> list[Schema]:
    """Describe items of several fields, as `ItemReader` reads them: the first name there is counts.

    Of several models that have learned from columns of different names, any of these count here.
    """
    texts, words = _names(models, "text"), _names(models, "tokens")
    or_none: Schema = {"anyOf": [text, {"type": "null"}]}
    pair = dict.fromkeys(_names(models, "text_pair"), or_none)
    absent_texts = dict.fromkeys(texts, False)

    def having(name: str, value: Schema, absent: Mapping[str, object]) -> Schema:
        return {
            "type": "object",
            "required": [name],
            "properties": {**pair, **absent, name: value},
            "description": "All other fields come back beside the result.",
        }

    return [
        *(having(name, or_none, dict.fromkeys(texts[:i], False)) for i, name in enumerate(texts)),
        *(
            having(name, _list(text), {**absent_texts, **dict.fromkeys(words[:i], False)})
            for i, name in enumerate(words)
        ),
    ]


def _names(models: Mapping[str, Predictor], role: Role) -> list[str]:
    """Return the names of a role's column in their order: those learned from, or the usual ones."""
    learned = [str(model.columns[role]) for model in models.values() if role in model.columns]
    usual = [role] if learned else list(CANDIDATES[role])
    return list(dict.fromkeys([*learned, *usual]))


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}
