"""What of a request's input goes out, and by what name the server knows the rest.

==================  ===========================  ===========================================
Mode                The server's name for it     How long it holds
==================  ===========================  ===========================================
``connection``      the last response            as long as the WebSocket that carried it
``response``        the last response            where it was stored, over any connection
``conversation``    a conversation               until somebody deletes it
==================  ===========================  ===========================================

A name that the server has forgotten costs one more request: the whole input goes out, without a
name or into a new conversation. A conversation of the caller's is never replaced, since it may hold
more than this session knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from codex_api._logic.session.chained_input import ChainedInput
from codex_api.transport.errors import ClientStateError, RequestBuildError

if TYPE_CHECKING:
    from codex_api._logic.session.input_json import InputJson

ChainMode: TypeAlias = Literal["connection", "response", "conversation"]

_UNCLEAR = (
    "the last response ended without a word on what became of it, so nobody knows what "
    "conversation {} holds: look at its items, and go on in another session"
)
_DIVERGED = (
    "the input does not begin with what conversation {} was given by this session; a conversation "
    "only grows, so give what it holds and what is new, or use another one"
)


class Outgoing(NamedTuple):
    """What goes out of an input.

    Attributes:
        input: A JSON array.
        previous_response_id: Response that ``input`` continues, or None when it is whole.
        conversation: Id of the conversation that ``input`` is added to, or None.
    """

    input: bytes
    previous_response_id: str | None = None
    conversation: str | None = None


class HeldInput:
    """What the server holds of one session's input.

    Args:
        mode: How it is named.
        conversation: Id of the caller's conversation; None begins one where ``mode`` needs it.

    Attributes:
        conversation: Id of the conversation, once there is one.
    """

    def __init__(self, mode: ChainMode = "connection", conversation: str | None = None) -> None:
        self.mode: ChainMode = mode
        self.conversation: str | None = conversation
        self._is_own = conversation is None
        self.forget()

    def forget(self) -> None:
        """Take note that the server holds nothing by the name that was used."""
        self._held = ChainedInput()
        self._is_kept = False
        self._asked = ChainedInput()
        self._has_begun = False
        self._is_clear = True
        if self._is_own:
            self.conversation = None

    def connection_lost(self) -> None:
        """Take note that what only the connection held is gone."""
        if not self._is_kept:
            self._held.reset()

    @property
    def may_be_lost(self) -> bool:
        """Whether the session may go on when the server does not know the name."""
        return self.mode != "conversation" or self._is_own

    def wants_conversation(self, input_json: InputJson) -> bool:
        """Return whether a conversation has to be begun before ``input_json`` can go out.

        Raises:
            ClientStateError: Nobody knows what the caller's conversation holds.
            RequestBuildError: The input does not go on from what the caller's conversation holds.
        """
        if self.mode != "conversation":
            return False
        if self.conversation is None:
            return True
        fits = not self._has_begun or self._held.continuation(b"", input_json) is not None
        if self._is_clear and fits:
            return False
        if self._is_own:
            self.forget()
            return True
        if not self._is_clear:
            raise ClientStateError(_UNCLEAR.format(self.conversation))
        raise RequestBuildError(_DIVERGED.format(self.conversation))

    def outgoing(self, fields: bytes, input_json: InputJson) -> Outgoing:
        """Return what of the whole ``input_json`` has to go out.

        Args:
            fields: The request without input and client metadata.
            input_json: All of it.
        """
        # What the server keeps stands for items alone; the rest of a request counts anew each time.
        found = self._held.continuation(b"" if self._is_kept else fields, input_json)
        if self.mode == "conversation":
            return Outgoing(
                bytes(input_json) if found is None else found.input,
                conversation=self.conversation,
            )
        return Outgoing(bytes(input_json)) if found is None else Outgoing(found.input, found[0])

    def begin(self, fields: bytes, input_json: InputJson, *, is_kept: bool) -> None:
        """Note a request that is being sent.

        Args:
            fields: As for ``outgoing``.
            input_json: Its whole input.
            is_kept: Whether the server holds it beyond the connection.
        """
        self._asked = ChainedInput()
        self._asked.begin(b"" if is_kept else fields, input_json)
        self._asked_is_kept = is_kept
        if not self._is_kept:
            self._held.reset()
        self._is_clear = False

    def failed(self, *, is_clear: bool) -> None:
        """Note that it failed; where ``is_clear``, the server said so or got nothing."""
        self._is_clear = is_clear

    def complete(self, response_id: str, outputs: list[tuple[bytes, ...]]) -> None:
        """Note that its response came to its end: from here on it can be continued.

        Args:
            response_id: Of the response.
            outputs: Each item, in the forms in which the caller may send it back.
        """
        for forms in outputs:
            self._asked.add_output(*forms)
        self._asked.complete(response_id)
        self._held, self._is_kept = self._asked, self._asked_is_kept
        self._has_begun = self._is_clear = True
