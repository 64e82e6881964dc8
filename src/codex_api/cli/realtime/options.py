"""Options that the realtime commands share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from codex_api.types.realtime import RealtimeSessionConfig, RealtimeVersion


@Parameter(name="*")
@dataclass(frozen=True)
class SessionOptions:
    """What the session should be."""

    instructions: Annotated[str, Parameter(help="How the model should behave.")] = ""
    model: Annotated[str | None, Parameter(help="Default: the server's choice.")] = None
    voice: Annotated[str | None, Parameter(help="Default: that of the version.")] = None
    session_id: Annotated[str | None, Parameter(help="Ties the session to a thread.")] = None

    def config(self, version: RealtimeVersion) -> RealtimeSessionConfig:
        """Make the configuration.

        Raises:
            RequestBuildError: The version has no such voice.
        """
        config = RealtimeSessionConfig(
            instructions=self.instructions,
            model=self.model,
            session_id=self.session_id,
            version=version,
            voice=self.voice,
        )
        config.check_voice()
        return config
