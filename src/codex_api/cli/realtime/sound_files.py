"""WAV files as arguments of commands."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from codex_api.transport.errors import RequestBuildError
from codex_api.voice.audio import WavWriter, session_frames

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from codex_api.types.realtime import RealtimeAudioFrame


def frames_of(wav: Path) -> list[RealtimeAudioFrame]:
    """Read a file as a session takes it.

    Raises:
        RequestBuildError: It cannot be read, or needs converting and nothing here can.
    """
    try:
        return list(session_frames(wav))
    except ModuleNotFoundError as exc:
        message = f"{wav} is not 24 kHz mono; converting it needs: pip install 'codex-api[webrtc]'"
        raise RequestBuildError(message) from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        message = f"cannot read {wav}: {reason}"
        raise RequestBuildError(message) from exc


def writer_for(output: Path | None) -> AbstractContextManager[WavWriter | None]:
    """Open the file for an answer, if there is to be one.

    Raises:
        RequestBuildError: It cannot be written.
    """
    if output is None:
        return nullcontext()
    try:
        return WavWriter(output)
    except OSError as exc:
        message = f"cannot write {output}: {exc.strerror}"
        raise RequestBuildError(message) from exc
