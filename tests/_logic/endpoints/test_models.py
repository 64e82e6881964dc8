from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api import __version__
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.endpoints.models import list_models
from codex_api.errors import DecodeError, RequestBuildError
from codex_api.provider import Provider
from codex_api.types.models import (
    ModelAvailabilityNux,
    ModelInfo,
    ModelInstructionsVariables,
    ModelServiceTier,
    ModelsPage,
    ModelUpgrade,
    PublicModel,
    ReasoningEffortPreset,
    TruncationPolicy,
    UnknownModel,
)
from tests._logic.operations import CONTEXT, answered

REQUIRED: dict[str, Any] = {
    "slug": "gpt-5.1-codex",
    "display_name": "GPT-5.1 Codex",
    "base_instructions": "be brief",
    "supported_in_api": True,
    "support_verbosity": False,
    "supports_parallel_tool_calls": True,
    "priority": 3,
    "supported_reasoning_levels": [{"effort": "high", "description": "thinks long"}],
    "experimental_supported_tools": ["apply_patch"],
    "truncation_policy": {"mode": "bytes", "limit": 10000},
    "shell_type": "shell_command",
    "visibility": "list",
    "supports_reasoning_summaries": True,
}
NULLABLE = (
    "description",
    "availability_nux",
    "upgrade",
    "default_verbosity",
    "apply_patch_tool_type",
    "default_reasoning_level",
    "default_service_tier",
    "model_messages",
    "context_window",
    "max_context_window",
    "auto_compact_token_limit",
    "comp_hash",
    "auto_review_model_override",
    "tool_mode",
    "multi_agent_version",
)


def listed(*models: object, key: str = "models", **headers: str) -> ModelsPage:
    return answered(list_models(CONTEXT), json.dumps({key: models}), headers=headers)


def decoded(**changes: object) -> ModelInfo:
    (model,) = listed({**REQUIRED, **changes}).models
    assert isinstance(model, ModelInfo)
    return model


def test_the_list_is_a_get_with_the_client_version() -> None:
    operation = list_models(CONTEXT, client_version="0.142.5")

    assert operation.request.method == "GET"
    assert operation.request.url == "https://h/v1/models?client_version=0.142.5"
    assert operation.request.body is None
    assert list(operation.request.headers.items()) == []


def test_the_client_version_joins_the_parameters_of_the_provider_and_is_escaped() -> None:
    provider = Provider("mock", "https://h/v1?a=1", query_params={"api-version": "2"})
    operation = list_models(CallContext(provider=provider), client_version="1 2&3")

    url = "https://h/v1/models?a=1&api-version=2&client_version=1%202%263"
    assert operation.request.url == url


@pytest.mark.parametrize(
    ("headers", "expected"), [({}, __version__), ({"version": "9.9"}, "9.9")], ids=["own", "told"]
)
def test_without_a_client_version_the_one_of_the_provider_counts_then_our_own(
    headers: dict[str, str], expected: str
) -> None:
    context = CallContext(provider=Provider("mock", "https://h", headers=headers))

    url = list_models(context).request.url

    assert url == f"https://h/models?client_version={expected}"


def test_a_blank_client_version_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="`client_version`"):
        list_models(CONTEXT, client_version=" ")


def test_an_etag_is_sent_and_304_means_that_it_still_holds() -> None:
    operation = list_models(CONTEXT, etag='W/"1"')

    assert list(operation.request.headers.items()) == [("if-none-match", 'W/"1"')]
    assert operation.accept == {304}
    assert answered(operation, "", status=304) == ModelsPage([], 'W/"1"', not_modified=True)
    renamed = answered(operation, "", status=304, headers={"ETag": "2"})
    assert renamed == ModelsPage([], "2", not_modified=True)


def test_without_an_etag_304_is_no_answer() -> None:
    assert list_models(CONTEXT).accept == frozenset()


def test_the_etag_of_the_answer_is_given_or_none() -> None:
    assert listed(etag='"7"').etag == '"7"'
    assert listed().etag is None


def test_required_fields_are_read_and_the_others_have_defaults() -> None:
    model = decoded(minimal_client_version="0.9", anything=[1])

    assert model == ModelInfo(
        slug="gpt-5.1-codex",
        display_name="GPT-5.1 Codex",
        base_instructions="be brief",
        supported_in_api=True,
        support_verbosity=False,
        supports_parallel_tool_calls=True,
        priority=3,
        supported_reasoning_levels=[ReasoningEffortPreset("high", "thinks long")],
        experimental_supported_tools=["apply_patch"],
        truncation_policy=TruncationPolicy("bytes", 10000),
        shell_type="shell_command",
        visibility="list",
        supports_reasoning_summaries=True,
    )
    assert [getattr(model, name) for name in NULLABLE] == [None] * len(NULLABLE)
    assert model.additional_speed_tiers == []
    assert model.service_tiers == []
    assert model.default_reasoning_summary == "auto"
    assert model.web_search_tool_type == "text"
    assert not model.supports_image_detail_original
    assert not model.supports_search_tool
    assert not model.use_responses_lite
    assert not model.include_skills_usage_instructions
    assert model.effective_context_window_percent == 95
    assert model.input_modalities == ["text", "image"]


def test_optional_fields_are_read() -> None:
    model = decoded(
        description="good",
        availability_nux={"message": "new!"},
        upgrade={"model": "gpt-6", "migration_markdown": "# go"},
        model_messages={
            "instructions_template": "{{ personality }}",
            "instructions_variables": {"personality_friendly": "hi"},
            "approvals": {"on": "x"},
        },
        service_tiers=[{"id": "priority", "name": "Fast", "description": "quick"}],
        additional_speed_tiers=["fast"],
        input_modalities=["text"],
        effective_context_window_percent=80,
    )

    assert model.description == "good"
    assert model.availability_nux == ModelAvailabilityNux("new!")
    assert model.upgrade == ModelUpgrade("gpt-6", "# go")
    assert model.model_messages is not None
    assert model.model_messages.instructions_template == "{{ personality }}"
    friendly = ModelInstructionsVariables(personality_friendly="hi")
    assert model.model_messages.instructions_variables == friendly
    assert model.model_messages.approvals == {"on": "x"}
    assert model.service_tiers == [ModelServiceTier("priority", "Fast", "quick")]
    assert model.additional_speed_tiers == ["fast"]
    assert model.input_modalities == ["text"]
    assert model.effective_context_window_percent == 80


@pytest.mark.parametrize(
    "field",
    [
        "tool_mode",
        "multi_agent_version",
        "shell_type",
        "visibility",
        "web_search_tool_type",
        "default_reasoning_summary",
        "default_reasoning_level",
        "default_verbosity",
        "apply_patch_tool_type",
    ],
)
def test_an_enum_string_of_a_later_server_is_kept(field: str) -> None:
    assert getattr(decoded(**{field: "from the future"}), field) == "from the future"


@pytest.mark.parametrize("field", NULLABLE)
def test_null_counts_as_none(field: str) -> None:
    assert getattr(decoded(**{field: None}), field) is None


@pytest.mark.parametrize(
    "field",
    ["input_modalities", "service_tiers", "effective_context_window_percent", "use_responses_lite"],
)
def test_null_in_a_field_with_a_default_takes_the_default(field: str) -> None:
    assert getattr(decoded(**{field: None}), field) == getattr(decoded(), field)


@pytest.mark.parametrize("field", [name for name in REQUIRED if name[:18] != "supports_reasoning"])
def test_a_model_without_a_required_field_is_kept_raw_and_costs_no_other(field: str) -> None:
    broken = {name: value for name, value in REQUIRED.items() if name != field}

    first, second = listed(broken, REQUIRED).models

    assert isinstance(first, UnknownModel)
    assert json.loads(bytes(first.raw)) == broken
    assert first.slug == (None if field == "slug" else "gpt-5.1-codex")
    assert isinstance(second, ModelInfo)


def test_a_list_element_that_is_no_object_is_kept_raw() -> None:
    (model,) = listed(17).models

    assert isinstance(model, UnknownModel)
    assert (bytes(model.raw), model.slug, model.id) == (b"17", None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"supports_reasoning_summaries": False}, False),
        ({"supports_reasoning_summaries": None}, True),
        (
            {
                "supports_reasoning_summaries": None,
                "supports_reasoning_summary_parameter": False,
            },
            False,
        ),
    ],
)
def test_both_generations_tell_whether_reasoning_is_summarized(
    changes: dict[str, object], expected: object
) -> None:
    assert decoded(**changes).accepts_reasoning_summary is expected


@pytest.mark.parametrize(
    ("window", "largest", "limit", "expected"),
    [
        (None, None, None, (None, None)),
        (None, None, 50, (None, 50)),
        (1000, 2000, None, (1000, 900)),
        (None, 2000, None, (2000, 1800)),
        (1000, None, 500, (1000, 500)),
        (1000, None, 950, (1000, 900)),
        (0, 2000, None, (0, 0)),
    ],
)
def test_window_and_compaction_limit_are_derived(
    window: int | None,
    largest: int | None,
    limit: int | None,
    expected: tuple[int | None, int | None],
) -> None:
    model = decoded(
        context_window=window, max_context_window=largest, auto_compact_token_limit=limit
    )

    assert (model.resolved_context_window, model.resolved_auto_compact_limit) == expected


def test_the_shape_of_the_public_api_is_read() -> None:
    body = (
        b'{"object":"list","data":[{"id":"gpt-5","object":"model","created":1,"owned_by":"openai"},'
        b'{"id":"local"},{"object":"model"}]}'
    )

    first, second, third = answered(list_models(CONTEXT), body).models

    assert first == PublicModel("gpt-5", "model", 1, "openai")
    assert (first.slug, first.id) == ("gpt-5", "gpt-5")
    assert second == PublicModel("local")
    assert isinstance(third, UnknownModel)
    assert third.id is None


def test_an_odd_time_costs_a_public_model_only_that() -> None:
    body = b'{"data":[{"id":"a","created":1.5},{"id":"b","created":"now","owned_by":3}]}'

    assert answered(list_models(CONTEXT), body).models == [PublicModel("a"), PublicModel("b")]


def test_a_codex_model_answers_to_the_name_that_the_public_api_uses() -> None:
    assert decoded().id == "gpt-5.1-codex"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<!doctype html><title>Sign in</title>", r"models at `\$`: it is an HTML page"),
        ("", r"models at `\$`"),
        ("[]", r"models at `\$`: Expected `object`"),
        ("{}", r"models at `\$`: there is neither `models`"),
        ('{"models":3}', r"models at `\$\.models`: Expected `array"),
    ],
)
def test_an_answer_that_is_no_list_names_endpoint_and_path(body: str, told: str) -> None:
    with pytest.raises(DecodeError, match=told):
        answered(list_models(CONTEXT), body)


def test_of_both_lists_the_one_is_taken_whose_models_are_known() -> None:
    foreign, codex = '[{"name":"llama"}]', f"[{json.dumps(REQUIRED)}]"
    public = '[{"id":"llama"}]'

    (listed,) = answered(list_models(CONTEXT), f'{{"models":{foreign},"data":{public}}}').models
    (known,) = answered(list_models(CONTEXT), f'{{"models":{codex},"data":{public}}}').models
    (alone,) = answered(list_models(CONTEXT), f'{{"models":{foreign}}}').models

    assert listed == PublicModel("llama")
    assert isinstance(known, ModelInfo)
    assert isinstance(alone, UnknownModel)
