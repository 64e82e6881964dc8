from __future__ import annotations

from typing import Any

import msgspec
import pytest

from codex_api import items
from codex_api._logic.endpoints.search import search
from codex_api.errors import DecodeError, RequestBuildError
from codex_api.types.reasoning import Reasoning
from codex_api.types.search import (
    ApproximateLocation,
    ClickOperation,
    FinanceOperation,
    FindOperation,
    OpenOperation,
    ScreenshotOperation,
    SearchCommands,
    SearchFilters,
    SearchImageSettings,
    SearchQuery,
    SearchRequest,
    SearchResponse,
    SearchSettings,
    SportsOperation,
    TimeOperation,
    WeatherOperation,
)
from tests._logic.operations import CONTEXT, answered, body_of

EVERYTHING = SearchRequest(
    "thread-1",
    "gpt-5",
    Reasoning(effort="low"),
    [items.Message.user("weather?")],
    SearchCommands(
        search_query=[SearchQuery("rust", 7, ["doc.rust-lang.org"]), SearchQuery("go")],
        image_query=[SearchQuery("crab")],
        open=[OpenOperation("turn0search0", 12), OpenOperation("https://a.example")],
        click=[ClickOperation("turn0open0", 3)],
        find=[FindOperation("turn0open0", "needle")],
        screenshot=[ScreenshotOperation("turn0pdf0", 0)],
        finance=[FinanceOperation("BTC", "crypto", ""), FinanceOperation("AMD", "equity")],
        weather=[WeatherOperation("Norway, Oslo", "2026-01-02", 3)],
        sports=[
            SportsOperation(
                tool="sports",
                fn="schedule",
                league="nba",
                team="GSW",
                opponent="LAL",
                date_from="2026-01-01",
                date_to="2026-01-31",
                num_games=0,
                locale="en",
            )
        ],
        time=[TimeOperation("+03:00")],
        response_length="short",
    ),
    SearchSettings(
        user_location=ApproximateLocation(
            country="NO", region="Oslo", city="Oslo", timezone="Europe/Oslo"
        ),
        search_context_size="high",
        filters=SearchFilters(["a.example"], ["b.example"]),
        image_settings=SearchImageSettings(0, caption=False),
        allowed_callers=["direct", "shell", "code_interpreter"],
        external_web_access=False,
    ),
    10000,
)
EVERYTHING_WIRE = (
    b'{"id":"thread-1","model":"gpt-5","reasoning":{"effort":"low"},'
    b'"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"weather?"}]}],'
    b'"commands":{"search_query":[{"q":"rust","recency":7,"domains":["doc.rust-lang.org"]},{"q":"go"}],'
    b'"image_query":[{"q":"crab"}],"open":[{"ref_id":"turn0search0","lineno":12},'
    b'{"ref_id":"https://a.example"}],"click":[{"ref_id":"turn0open0","id":3}],'
    b'"find":[{"ref_id":"turn0open0","pattern":"needle"}],'
    b'"screenshot":[{"ref_id":"turn0pdf0","pageno":0}],'
    b'"finance":[{"ticker":"BTC","type":"crypto","market":""},{"ticker":"AMD","type":"equity"}],'
    b'"weather":[{"location":"Norway, Oslo","start":"2026-01-02","duration":3}],'
    b'"sports":[{"tool":"sports","fn":"schedule","league":"nba","team":"GSW","opponent":"LAL",'
    b'"date_from":"2026-01-01","date_to":"2026-01-31","num_games":0,"locale":"en"}],'
    b'"time":[{"utc_offset":"+03:00"}],"response_length":"short"},'
    b'"settings":{"user_location":{"type":"approximate","country":"NO","region":"Oslo","city":"Oslo",'
    b'"timezone":"Europe/Oslo"},"search_context_size":"high",'
    b'"filters":{"allowed_domains":["a.example"],"blocked_domains":["b.example"]},'
    b'"image_settings":{"max_results":0,"caption":false},'
    b'"allowed_callers":["direct","shell","code_interpreter"],"external_web_access":false},'
    b'"max_output_tokens":10000}'
)


def commanded(**commands: Any) -> SearchRequest:
    return SearchRequest("t", "m", commands=SearchCommands(**commands))


def set_to(**settings: Any) -> SearchRequest:
    return SearchRequest("t", "m", settings=SearchSettings(**settings))


def test_the_whole_language_goes_out_in_order() -> None:
    operation = search(CONTEXT, EVERYTHING)

    assert operation.request.method == "POST"
    assert operation.request.url == "https://h/v1/alpha/search"
    assert body_of(operation) == EVERYTHING_WIRE


@pytest.mark.parametrize(
    ("request_", "wire"),
    [
        (SearchRequest("t", "m"), b'{"id":"t","model":"m"}'),
        (SearchRequest("t", "m", input="q"), b'{"id":"t","model":"m","input":"q"}'),
        (SearchRequest("t", "m", input=""), b'{"id":"t","model":"m","input":""}'),
        (SearchRequest("t", "m", input=[]), b'{"id":"t","model":"m","input":[]}'),
        (
            SearchRequest("t", "m", input=[msgspec.Raw(b'{"x" :1}')]),
            b'{"id":"t","model":"m","input":[{"x" :1}]}',
        ),
        (
            SearchRequest("t", "m", commands=SearchCommands()),
            b'{"id":"t","model":"m","commands":{}}',
        ),
        (
            SearchRequest("t", "m", commands=SearchCommands(time=[])),
            b'{"id":"t","model":"m","commands":{"time":[]}}',
        ),
        (
            SearchRequest("t", "m", settings=SearchSettings()),
            b'{"id":"t","model":"m","settings":{}}',
        ),
        (
            set_to(user_location=ApproximateLocation()),
            b'{"id":"t","model":"m","settings":{"user_location":{"type":"approximate"}}}',
        ),
        (
            set_to(external_web_access="indexed"),
            b'{"id":"t","model":"m","settings":{"external_web_access":"indexed"}}',
        ),
        (
            SearchRequest("t", "m", max_output_tokens=0),
            b'{"id":"t","model":"m","max_output_tokens":0}',
        ),
    ],
)
def test_what_is_not_set_is_left_out(request_: SearchRequest, wire: bytes) -> None:
    assert body_of(search(CONTEXT, request_)) == wire


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (SearchRequest("", "m"), "illegal `id`"),
        (SearchRequest("t", " "), "illegal `model`"),
        (
            commanded(sports=[SportsOperation(fn="schedule", league="cricket")]),  # type: ignore[arg-type]  # illegal on purpose
            r"illegal `commands\.sports\[0\]\.league`.*'cricket'.*expected one of nba, wnba, .*ipl",
        ),
        (
            commanded(sports=[SportsOperation(fn="scores", league="nba")]),  # type: ignore[arg-type]  # illegal on purpose
            r"`commands\.sports\[0\]\.fn`.*schedule, standings",
        ),
        (
            commanded(finance=[FinanceOperation("A", "equity"), FinanceOperation("B", "bond")]),  # type: ignore[arg-type]  # illegal on purpose
            r"`commands\.finance\[1\]\.type`.*equity, fund, crypto, index",
        ),
        (commanded(response_length="tiny"), r"`commands\.response_length`.*short, medium, long"),
        (
            commanded(screenshot=[ScreenshotOperation("r", -1)]),
            r"`commands\.screenshot\[0\]\.pageno`.*>= 0",
        ),
        (commanded(time=[TimeOperation("3h")]), r"`commands\.time\[0\]\.utc_offset`.*regex"),
        (
            commanded(weather=[WeatherOperation("Oslo", "tomorrow")]),
            r"`commands\.weather\[0\]\.start`",
        ),
        (commanded(search_query=[SearchQuery(3)]), r"`commands\.search_query\[0\]\.q`.*`str`"),  # type: ignore[arg-type]  # illegal on purpose
        (set_to(search_context_size="huge"), r"`settings\.search_context_size`.*low, medium, high"),
        (
            set_to(allowed_callers=["direct", "cron"]),
            r"`settings\.allowed_callers\[1\]`.*direct, shell, code_interpreter",
        ),
        (
            set_to(external_web_access="sometimes"),
            r"`settings\.external_web_access`.*cached, indexed, live",
        ),
    ],
)
def test_an_illegal_value_names_its_path_and_what_is_expected(
    request_: SearchRequest, told: str
) -> None:
    with pytest.raises(RequestBuildError, match=told):
        search(CONTEXT, request_)


def test_the_answer_is_read() -> None:
    body = '{"encrypted_output":"e","output":"o","results":[{"type":"x","n":[1]}],"more":1}'

    assert answered(search(CONTEXT, EVERYTHING), body) == SearchResponse(
        "o", "e", [{"type": "x", "n": [1]}]
    )


def test_missing_results_are_none_and_empty_ones_stay_empty() -> None:
    operation = search(CONTEXT, EVERYTHING)

    assert answered(operation, '{"output":"o"}') == SearchResponse("o")
    assert answered(operation, '{"output":"o","results":[]}') == SearchResponse("o", None, [])
    assert answered(operation, '{"output":"o","results":null}').results is None


def test_an_answer_without_output_names_it() -> None:
    with pytest.raises(DecodeError, match=r"alpha/search at `\$\.output`"):
        answered(search(CONTEXT, EVERYTHING), '{"results":[]}')
