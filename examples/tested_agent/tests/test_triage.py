import pytest
from tested_agent import triage

from codex_api import ApiKeyAuth, errors
from codex_api.testing import scenarios


def test_a_report_is_given_to_a_team(codex_cassette):
    verdict = triage("The docs have a typo: team=docs, urgency=2.")

    assert verdict.team == "docs"
    assert verdict.urgency == 2
    assert codex_cassette.left == []


def test_a_short_outage_is_not_noticed(codex_server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", codex_server.url)
    codex_server.play(scenarios.overloaded())

    assert triage("team=server").team == "server"
    assert len(codex_server.requests) == 2


@pytest.mark.codex_server(api_keys=frozenset({"right"}))
def test_a_wrong_key_is_told(codex_server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", codex_server.url)

    with pytest.raises(errors.AuthenticationError):
        triage("team=server", auth=ApiKeyAuth("wrong"))
