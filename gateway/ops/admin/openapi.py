"""The OpenAPI document of the admin API, made of what `gateway.ops.admin.declared` has."""

from typing import Any, Final

import msgspec

from gateway.ops.admin.declared import LOOKS, VERBS, Look, Verb
from gateway.ops.problems import STATUS, ProblemDetails
from gateway.ops.views import Done

REF: Final = "#/components/schemas/{name}"


def document(version: str, prefix: str) -> dict[str, Any]:
    """The document, of OpenAPI 3.1."""
    types = [ProblemDetails, Done, *(one.answer for one in LOOKS), *(one.command for one in VERBS)]
    queries = list(dict.fromkeys(one.query for one in LOOKS))
    _, components = msgspec.json.schema_components([*types, *queries], ref_template=REF)
    parameters = {query: _parameters(components.pop(query.__name__)) for query in queries}
    paths: dict[str, Any] = {
        prefix + one.path: {"get": _look(one, parameters[one.query])} for one in LOOKS
    }
    paths |= {prefix + one.path: {"post": _verb(one)} for one in VERBS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gateway, for operators",
            "version": version,
            "description": "What is seen and done of a gateway that runs; see docs/admin-api.md.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _look(look: Look[Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    one = {"$ref": REF.format(name=look.answer.__name__)}
    content: dict[str, Any] = {"application/json": {"schema": _page(one) if look.many else one}}
    if look.many:
        content["text/csv"] = {"schema": {"type": "string"}}
    named = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        for _ in range(look.path.count("{id}"))
    ]
    return {
        "operationId": _name("get", look.path),
        "summary": look.summary,
        "x-roles": sorted(look.roles),
        "parameters": named + parameters,
        "responses": _responses("as asked for", content),
    }


def _page(one: dict[str, Any]) -> dict[str, Any]:
    """A list, and what asks for the rest of it."""
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": one},
            "next": {"type": ["string", "null"]},
        },
        "required": ["items", "next"],
    }


def _verb(verb: Verb) -> dict[str, Any]:
    command = {"$ref": REF.format(name=verb.command.__name__)}
    done = {"application/json": {"schema": {"$ref": REF.format(name=Done.__name__)}}}
    return {
        "operationId": _name("post", verb.path),
        "summary": verb.summary,
        "x-roles": sorted(verb.roles),
        "requestBody": {"required": True, "content": {"application/json": {"schema": command}}},
        "responses": _responses("done, or shown", done),
    }


def _responses(said: str, content: dict[str, Any]) -> dict[str, Any]:
    problem = {
        "application/problem+json": {"schema": {"$ref": REF.format(name=ProblemDetails.__name__)}}
    }
    statuses: dict[int, list[str]] = {}
    for status, title in STATUS.values():
        statuses.setdefault(status, []).append(title)
    return {
        "200": {"description": said, "content": content},
        **{
            str(status): {"description": "; ".join(titles), "content": problem}
            for status, titles in sorted(statuses.items())
        },
    }


def _parameters(query: dict[str, Any]) -> list[dict[str, Any]]:
    required = query.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in query["properties"].items()
    ]


def _name(method: str, path: str) -> str:
    return "_".join([method, *path.replace("{id}", "one").strip("/").split("/")])
