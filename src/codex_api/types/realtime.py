"""Values of the realtime endpoints: what a session is asked to be, and what comes back from a call.

A configuration says nothing about how a call is routed: WebRTC calls always take the one path that
the service has for them, so the former ``architecture`` setting is gone and using it is an error.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import msgspec

from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

RealtimeVersion: TypeAlias = Literal["v1", "v2", "v3"]
RealtimeMode: TypeAlias = Literal["conversational", "transcription"]
RealtimeModality: TypeAlias = Literal["audio", "text"]
RealtimeRole: TypeAlias = Literal["user", "developer", "assistant"]

REALTIME_SAMPLE_RATE_HZ: Final = 24_000
"""Sample rate of all audio that sessions take and give, in samples a second."""

_V1_VOICES = ("juniper", "maple", "spruce", "ember", "vale", "breeze", "arbor", "sol", "cove")
_V2_VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)
REALTIME_VOICES: Final[Mapping[RealtimeVersion, tuple[str, ...]]] = {
    "v1": _V1_VOICES,
    "v2": _V2_VOICES,
    "v3": _V1_VOICES,
}
"""The voices that each protocol version is known to have."""

_DEFAULT_VOICES: Final[Mapping[RealtimeVersion, str]] = {
    "v1": "cove",
    "v2": "marin",
    "v3": "cove",
}


_CHOICES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("version", get_args(RealtimeVersion)),
    ("mode", get_args(RealtimeMode)),
    ("output_modality", get_args(RealtimeModality)),
)


class RealtimeSessionConfig(msgspec.Struct, frozen=True):
    """What a realtime session should be.

    Attributes:
        instructions: What the model is told to do.
        model: None leaves the choice to the server.
        session_id: Goes out as ``x-session-id`` and ties the session to a thread.
        version: Protocol version. WebRTC calls speak v1 or v3; direct WebSockets all three.
        mode: v1 and v3 know conversations only and take ``transcription`` as one.
        output_modality: Whether answers are spoken or written. Only v2 can write.
        voice: None takes the default of the version. The name is not checked here: see
            ``check_voice``.

    Raises:
        RequestBuildError: There is no such version, mode or modality.
    """

    instructions: str = ""
    model: str | None = None
    session_id: str | None = None
    version: RealtimeVersion = "v1"
    mode: RealtimeMode = "conversational"
    output_modality: RealtimeModality = "audio"
    voice: str | None = None

    def __post_init__(self) -> None:
        for name, known in _CHOICES:
            value = getattr(self, name)
            if value not in known:
                message = f"realtime {name} must be one of {', '.join(known)}, not {value!r}"
                raise RequestBuildError(message)

    @property
    def effective_voice(self) -> str:
        """The voice that is asked for: ``voice`` or the default of ``version``."""
        return _DEFAULT_VOICES[self.version] if self.voice is None else self.voice

    @classmethod
    def from_mapping(cls, settings: Mapping[str, object]) -> RealtimeSessionConfig:
        """Read a configuration from a settings mapping, e.g. a table of a TOML file.

        Raises:
            RequestBuildError: A key is unknown, a value has the wrong type, or the removed
                ``architecture`` setting is there.
        """
        if "architecture" in settings:
            message = (
                "the realtime setting 'architecture' no longer exists: WebRTC calls always take"
                " the same path now. Delete the line that sets it"
            )
            raise RequestBuildError(message)
        unknown = sorted(str(key) for key in settings if key not in cls.__struct_fields__)
        if unknown:
            message = f"unknown realtime setting: {', '.join(unknown)}"
            raise RequestBuildError(message)
        try:
            return msgspec.convert(settings, cls)
        except msgspec.ValidationError as exc:
            message = f"bad realtime setting: {exc}"
            raise RequestBuildError(message) from exc

    def check_voice(self) -> None:
        """Refuse a voice that the version is not known to have.

        Raises:
            RequestBuildError: The text lists the voices that there are.
        """
        known = REALTIME_VOICES[self.version]
        if self.effective_voice not in known:
            message = (
                f"realtime {self.version} has no voice {self.effective_voice!r};"
                f" it has {', '.join(sorted(known))}"
            )
            raise RequestBuildError(message)


class RealtimeCall(msgspec.Struct, frozen=True):
    """An answered WebRTC call.

    Attributes:
        sdp: The answer for the peer connection.
        call_id: Names the call when a sideband joins it.
    """

    sdp: str
    call_id: str


class RealtimeAudioFrame(msgspec.Struct, frozen=True):
    """A piece of sound as the wire has it.

    Attributes:
        data: Little-endian 16-bit PCM, channels interleaved, in base64.
        sample_rate_hz: Samples a second in each channel.
        channels: Number of channels.
        samples_per_channel: As the server counted them, or None when it did not say.
        item_id: Conversation item that the sound belongs to, or None.
    """

    data: str
    sample_rate_hz: int = REALTIME_SAMPLE_RATE_HZ
    channels: int = 1
    samples_per_channel: int | None = None
    item_id: str | None = None

    @classmethod
    def from_pcm16(
        cls, pcm16: bytes, *, sample_rate_hz: int = REALTIME_SAMPLE_RATE_HZ, channels: int = 1
    ) -> RealtimeAudioFrame:
        """Wrap little-endian 16-bit PCM.

        Raises:
            RequestBuildError: The bytes are no whole number of samples.
        """
        step = 2 * channels
        if len(pcm16) % step:
            message = f"{len(pcm16)} bytes are no whole number of {step}-byte PCM16 samples"
            raise RequestBuildError(message)
        data = base64.b64encode(pcm16).decode("ascii")
        return cls(data, sample_rate_hz, channels, len(pcm16) // step)

    @property
    def pcm16(self) -> bytes:
        """The sound as little-endian 16-bit PCM.

        Raises:
            ValueError: ``data`` is not base64.
        """
        try:
            # Some encoders leave the padding out, which says nothing.
            return base64.b64decode(self.data + "=" * (-len(self.data) % 4), validate=True)
        except binascii.Error as exc:
            message = f"audio data is not base64: {exc}"
            raise ValueError(message) from exc

    @property
    def duration_seconds(self) -> float:
        """How long the frame sounds."""
        return len(self.pcm16) / (2 * self.channels * self.sample_rate_hz)


class TranscriptEntry(msgspec.Struct, frozen=True):
    """What one side said without the other coming in."""

    role: Literal["user", "assistant"]
    text: str
