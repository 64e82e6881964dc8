from __future__ import annotations

import pytest

from codex_api.testing.server.recorder import endpoint_name


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/responses", "responses"),
        ("POST", "/backend-api/codex/responses", "responses"),
        ("POST", "/v1/responses/compact", "responses/compact"),
        ("GET", "/v1/responses/resp_1", "responses/retrieve"),
        ("DELETE", "/v1/responses/resp_1", "responses/delete"),
        ("POST", "/v1/responses/resp_1/cancel", "responses/cancel"),
        ("GET", "/v1/responses/resp_1/input_items", "responses/input_items"),
        ("POST", "/v1/responses/input_tokens", "responses/input_tokens"),
        ("GET", "/v1/responses", "responses"),
        ("GET", "/v1/models", "models"),
        ("POST", "/v1/images/edits", "images/edits"),
        ("POST", "/v1/files", "files"),
        ("POST", "/backend-api/files/file_1/uploaded", "files/uploaded"),
        ("GET", "/v1/files", "files/list"),
        ("GET", "/v1/files/file_1", "files/retrieve"),
        ("DELETE", "/v1/files/file_1", "files/delete"),
        ("GET", "/v1/files/file_1/content", "files/content"),
        ("POST", "/v1/batches", "batches"),
        ("POST", "/v1/batches/batch_1/cancel", "batches/cancel"),
        ("POST", "/v1/conversations/conv_1", "conversations/update"),
        ("GET", "/v1/conversations/conv_1/items/msg_1", "conversations/items"),
        ("PUT", "/v1/blobs/file_1", "blobs"),
        ("GET", "/elsewhere", "elsewhere"),
    ],
)
def test_endpoints_are_named_without_base_and_ids(method: str, path: str, name: str) -> None:
    assert endpoint_name(path, method) == name
