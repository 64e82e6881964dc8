from __future__ import annotations

from typing import Any

import pytest

from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import (
    REALTIME_VOICES,
    RealtimeAudioFrame,
    RealtimeSessionConfig,
    RealtimeVersion,
)


def test_configuration_is_read_from_a_mapping() -> None:
    settings = {"instructions": "i", "version": "v2", "mode": "transcription"}

    config = RealtimeSessionConfig.from_mapping(settings)

    assert config == RealtimeSessionConfig("i", version="v2", mode="transcription")


@pytest.mark.parametrize("value", ["avas", "realtimeapi", None])
def test_architecture_setting_is_an_error_that_says_to_delete_it(value: object) -> None:
    with pytest.raises(RequestBuildError, match=r"'architecture' no longer exists.*Delete"):
        RealtimeSessionConfig.from_mapping({"architecture": value})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"modle": "m"}, "modle"),
        ({"version": "v4"}, "version"),
        ({"instructions": 1}, "instructions"),
    ],
)
def test_bad_setting_is_named(settings: dict[str, object], told: str) -> None:
    with pytest.raises(RequestBuildError, match=told):
        RealtimeSessionConfig.from_mapping(settings)


@pytest.mark.parametrize(("version", "voice"), [("v1", "cove"), ("v2", "marin"), ("v3", "cove")])
def test_each_version_has_a_default_voice_that_it_knows(
    version: RealtimeVersion, voice: str
) -> None:
    config = RealtimeSessionConfig(version=version)

    config.check_voice()
    assert config.effective_voice == voice
    assert voice in REALTIME_VOICES[version]


def test_voice_of_another_version_is_refused_with_the_list() -> None:
    with pytest.raises(RequestBuildError, match=r"v1 has no voice 'marin'.*arbor, breeze"):
        RealtimeSessionConfig(voice="marin").check_voice()


def test_frame_holds_pcm_as_base64() -> None:
    frame = RealtimeAudioFrame.from_pcm16(b"\x01\x00\x02\x00")

    assert frame == RealtimeAudioFrame("AQACAA==", 24000, 1, 2)
    assert frame.pcm16 == b"\x01\x00\x02\x00"
    assert frame.duration_seconds == 2 / 24000


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(RequestBuildError):
        RealtimeAudioFrame.from_pcm16(b"\x00\x00", channels=2)


def test_base64_without_its_padding_is_read() -> None:
    assert RealtimeAudioFrame("AQACAA").pcm16 == b"\x01\x00\x02\x00"


def test_data_that_is_no_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        _ = RealtimeAudioFrame("not base64!").pcm16


@pytest.mark.parametrize("choice", [{"version": "v9"}, {"mode": "silent"}, {"output_modality": ""}])
def test_choice_that_there_is_not_is_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildError, match=f"realtime {next(iter(choice))} must be one of"):
        RealtimeSessionConfig(**choice)
