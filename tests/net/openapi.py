# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds answers of the REST API against its own OpenAPI document.

Contract(document).check(method, path, answer) raises AssertionError if the
document does not say that the operation answers so.  Knows what
swagger/tof.yaml uses of OpenAPI 3.0: $ref, nullable, media types, headers."""

import jsonschema


class Contract:
    def __init__(self, document):
        self.document = document
        self.seen = set()       # (method, path template, status)

    def deref(self, node):
        while "$ref" in node:
            found = self.document
            for key in node["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            node = found
        return node

    def schema(self, node):
        """JSON Schema of an OpenAPI schema."""
        if isinstance(node, list):
            return [self.schema(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = self.deref(node)
        result = {key: self.schema(value) for key, value in node.items()
                  if key not in ("nullable", "example")}
        if node.get("nullable") is True:
            return {"anyOf": [result, {"type": "null"}]}
        return result

    def template(self, path):
        """The path of the document that 'path' is one of, or None."""
        segments = path.split("?")[0].split("/")
        for template in self.document["paths"]:
            parts = template.split("/")
            if len(parts) == len(segments) and all(
                    part == segment or (part.startswith("{") and segment)
                    for part, segment in zip(parts, segments)):
                return template
        return None

    def operations(self):
        for template, item in self.document["paths"].items():
            for method in item:
                if method != "parameters":
                    yield method.upper(), template

    def answers(self):
        """Every (method, template, status) that the document describes."""
        for method, template in self.operations():
            operation = self.document["paths"][template][method.lower()]
            for status in operation["responses"]:
                yield method, template, int(status)

    def validate(self, node, value):
        jsonschema.Draft202012Validator(
            self.schema(node),
            format_checker=jsonschema.FormatChecker()).validate(value)

    def check(self, method, path, answer):
        if answer.status_code >= 400:
            self.check_problem(answer, body=method != "HEAD")
        template = self.template(path)
        item = self.document["paths"].get(template)
        if item is None:
            assert answer.status_code in (400, 401, 404)
            return
        operation = item.get("get" if method == "HEAD" else method.lower())
        if operation is None:
            assert answer.status_code in (401, 403, 405)
            return
        response = operation["responses"].get(str(answer.status_code))
        assert response, f"{method} {template}: {answer.status_code}?"
        self.seen.add((method, template, answer.status_code))
        self.check_response(self.deref(response), answer,
                            body=method != "HEAD")

    def check_response(self, response, answer, body):
        for name, header in response.get("headers", {}).items():
            if name in answer.headers:
                self.validate(self.deref(header)["schema"],
                              answer.headers[name])
        content = response.get("content")
        if not content:
            assert answer.content == b""
            assert "Content-Type" not in answer.headers
            return
        media = answer.headers["Content-Type"].split(";")[0]
        assert media in content
        if body and media.endswith("json"):
            self.validate(content[media]["schema"], answer.json())

    def check_problem(self, answer, body):
        media = answer.headers["Content-Type"]
        assert media == "application/problem+json"
        if body:
            problem = answer.json()
            self.validate({"$ref": "#/components/schemas/problem"}, problem)
            assert problem["status"] == answer.status_code
