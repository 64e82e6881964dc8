"""The model behind a realtime session: it hears tones, says what it heard, and echoes them.

No speech is recognised here. A stretch of sound between two silences is a turn; the transcript
tells its pitch and length. A turn above ``HANDOFF_HZ`` asks the agent to work, as a text that
begins with ``delegate`` does; the text ``remain silent`` makes the model call that tool. What an
agent answers is spoken as a tone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from codex_api.testing.server.realtime import voice_v1, voice_v2, voice_v3
from codex_api.testing.server.realtime.functions import Functions
from codex_api.testing.server.realtime.intents import understand
from codex_api.testing.server.realtime.sayings import Saying
from codex_api.testing.server.realtime.voice_v2 import function_call, message
from codex_api.testing.sound import SILENCE_DBFS, frequency_hz, level_dbfs, tone

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api.testing.server.realtime.intents import Intent
    from codex_api.testing.server.realtime.sayings import Fact, Version
    from codex_api.testing.wire import JsonObject

_VOICES = {"v1": voice_v1.VOICE, "v2": voice_v2.VOICE, "v3": voice_v3.VOICE}
HANDOFF_HZ = 1500.0
AGENT_TONE_HZ = 660.0
_RATE_HZ = 24_000
_WINDOW_BYTES = 2 * _RATE_HZ // 50
_SPEECH_DBFS = -45.0
_QUIET_WINDOWS = 15
_SHORTEST_BYTES = 4 * _WINDOW_BYTES
_LONGEST_BYTES = 2 * _RATE_HZ * 20
_SECONDS_PER_WORD = 0.12
_FRAME_BYTES = 2 * _RATE_HZ // 10


class Conversation:
    """One session, whoever listens to it.

    Args:
        version: Protocol version of all who join.
        emit: Takes each message for the client.
        play: Takes sound for a call's audio track; None sends sound as messages.
        new_id: Makes ids from a prefix.

    Attributes:
        ended: Whether the client said goodbye.
    """

    def __init__(
        self,
        version: Version,
        emit: Callable[[JsonObject], None],
        *,
        play: Callable[[bytes], None] | None,
        new_id: Callable[[str], str],
    ) -> None:
        self.version = version
        self.ended: bool = False
        self._emit, self._play, self._new_id = emit, play, new_id
        self._session_id = new_id("sess")
        self._updates = 0
        self._config: JsonObject = {}
        self._functions = Functions(new_id)
        self._transcribes = False
        self._pending = bytearray()
        self._turn = bytearray()
        self._quiet = 0
        self._heard_bytes = 0
        self._item_id = ""
        self._asked = ""

    def greet(self) -> None:
        """Say what the version says first."""
        self._tell("created", Saying(session_id=self._session_id, config=self._config))

    def configure(self, session: JsonObject) -> None:
        """Take the settings of a session."""
        self._config |= session
        self._transcribes = self._config.get("type") == "transcription"

    def receive(self, message: str) -> None:
        """Take one message of the client."""
        intent = understand(message)
        match intent.kind:
            case "update":
                self._update(intent)
            case "audio":
                self.hear(intent.pcm16)
            case "text":
                self._read(intent)
            case "agent":
                self._item({"type": "function_call_output", **intent.body})
                if not self._functions.take(intent.body):
                    self._answer(f"The agent says: {intent.text}", None)
            case "respond":
                self._respond(intent.body)
            case "bye":
                self.ended = True
            case "bad":
                self._tell("error", Saying(intent.text))
            case "ignored":
                pass
            case _:
                assert_never(intent.kind)

    def hear(self, pcm16: bytes) -> None:
        """Take sound: 24 kHz mono."""
        self._pending += pcm16
        while len(self._pending) >= _WINDOW_BYTES:
            window = bytes(self._pending[:_WINDOW_BYTES])
            del self._pending[:_WINDOW_BYTES]
            self._hear_window(window)

    def _hear_window(self, window: bytes) -> None:
        self._heard_bytes += len(window)
        if level_dbfs(window) > _SPEECH_DBFS:
            if not self._turn:
                self._item_id = self._new_id("item")
                at_ms = self._heard_bytes * 1000 // (2 * _RATE_HZ)
                self._tell("speech_started", Saying(item_id=self._item_id, at_ms=at_ms))
            self._turn += window
            self._quiet = 0
        elif self._turn:
            self._turn += window
            self._quiet += 1
        if self._quiet >= _QUIET_WINDOWS or len(self._turn) >= _LONGEST_BYTES:
            self._end_turn()

    def _end_turn(self) -> None:
        sound = bytes(self._turn[: len(self._turn) - self._quiet * _WINDOW_BYTES])
        self._turn.clear()
        self._quiet = 0
        if len(sound) < _SHORTEST_BYTES or level_dbfs(sound) <= SILENCE_DBFS:
            return
        # Its first and last window may be silent in part.
        middle = sound[_WINDOW_BYTES:-_WINDOW_BYTES]
        pitch = round(frequency_hz(middle, sample_rate_hz=_RATE_HZ), -1)
        heard = f"a tone of {pitch:.0f} hertz for {len(sound) / (2 * _RATE_HZ):.1f} seconds"
        for word in _words(heard):
            self._tell("heard_delta", Saying(word, item_id=self._item_id))
        self._tell("heard", Saying(heard, item_id=self._item_id))
        if self._transcribes:
            return
        if pitch >= HANDOFF_HZ:
            self._tell("handoff", Saying(f"look into {heard}", item_id=self._new_id("item")))
            return
        self._answer(f"I heard {heard}", sound)

    def _update(self, intent: Intent) -> None:
        self.configure(intent.body)
        self._updates += 1
        instructions = intent.body.get("instructions")
        saying = Saying(
            session_id=self._session_id,
            instructions=instructions if isinstance(instructions, str) else None,
            first=self._updates == 1,
            config=self._config,
        )
        self._tell("updated", saying)

    def _read(self, intent: Intent) -> None:
        role = intent.body.get("role", "user")
        self._item(dict(intent.body))
        if role != "user":
            return
        self._asked = intent.text
        first, _, rest = intent.text.partition(" ")
        if first.lower().rstrip(":") == "delegate":
            self._tell("handoff", Saying(rest, item_id=self._new_id("item")))
        elif intent.text == "remain silent":
            self._tell("noop", Saying(item_id=self._new_id("item")))
        elif self.version != "v2":
            # v2 clients ask for the answer.
            self._answer(f"You said: {intent.text}", None)

    def _respond(self, wanted: JsonObject) -> None:
        """Make the response that the client asks for, with functions where its text wants them."""
        config = {**self._config, **wanted}
        returned = self._functions.told()
        calls = [] if returned else self._functions.calls(self._asked, config)
        if not calls:
            self._answer(returned or f"You said: {self._asked}", None, config)
            return
        response = Saying(response_id=self._new_id("resp"), config=config)
        self._tell("response_started", response)
        for call in calls:
            made = replace(response, item_id=self._new_id("item"), call=call)
            self._tell("function_called", made)
            response = replace(response, output=(*response.output, function_call(made)))
        self._tell("response_done", response)

    def _item(self, item: JsonObject) -> None:
        self._tell("item_added", Saying(item={"id": self._new_id("item"), **item}))

    def _answer(self, text: str, echo: bytes | None, config: JsonObject | None = None) -> None:
        config = self._config if config is None else config
        saying = Saying(
            item_id=self._new_id("item"),
            response_id=self._new_id("resp"),
            spoken=config.get("output_modalities") != ["text"],
            config=config,
        )
        self._tell("response_started", saying)
        words = _words(text)
        if saying.spoken:
            length = _SECONDS_PER_WORD * len(words)
            self._speak(tone(AGENT_TONE_HZ, length) if echo is None else echo, saying)
        for word in words:
            self._tell("said_delta", replace(saying, text=word))
        said = replace(saying, text=text)
        self._tell("said", said)
        self._tell("response_done", replace(saying, output=(message(said),)))

    def _speak(self, sound: bytes, saying: Saying) -> None:
        if self._play is not None:
            self._play(sound)
            return
        for start in range(0, len(sound), _FRAME_BYTES):
            self._tell("audio", replace(saying, pcm16=sound[start : start + _FRAME_BYTES]))

    def _tell(self, fact: Fact, saying: Saying) -> None:
        say = _VOICES[self.version].get(fact)
        for told in () if say is None else say(saying):
            self._emit({"event_id": self._new_id("event"), **told})


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]
