"""Parts that items are made of: text, images, summaries, actions.

A part is named after its wire ``type``. A part of a type that is not listed here, or of a listed
type with a field missing or mistyped, is an ``UnknownPart``: its bytes go back out as they came.
"""

# Annotations are not put off here: a decoder would compile those of a class for each heir of it.

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, cast

import msgspec

if TYPE_CHECKING:
    from typing import Self

    from codex_api.types.annotations import Annotation, TokenLogprob


class Extra(Mapping[str, msgspec.Raw]):
    """The keys of a JSON object that its class has no field for, or no fitting one.

    A field that came with a value of another type has a stand-in in the object and the value here;
    it goes back out for as long as the stand-in is not replaced. No struct, so that the encoder
    asks for it and objects without need no look.

    Args:
        values: The exact JSON of each.
        order: The keys of the whole object as they came; empty puts ``values`` last.
    """

    __slots__ = ("_values", "order")

    def __init__(
        self, values: Mapping[str, msgspec.Raw | bytes | str], order: Sequence[str] = ()
    ) -> None:
        self._values = {
            key: value if isinstance(value, msgspec.Raw) else msgspec.Raw(value)
            for key, value in values.items()
        }
        self.order: tuple[str, ...] = tuple(order)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Extra":
        """Make one of any JSON values, to send keys that this version does not know."""
        return cls({key: msgspec.json.encode(value) for key, value in values.items()})

    def without(self, names: Sequence[str]) -> "Extra":
        """Return one without the keys ``names``."""
        kept = {key: value for key, value in self._values.items() if key not in names}
        return Extra(kept, self.order)

    def __getitem__(self, key: str) -> msgspec.Raw:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset((key, bytes(value)) for key, value in self._values.items()))

    def __repr__(self) -> str:
        return f"Extra({ {key: bytes(value) for key, value in self._values.items()} })"

    def __reduce__(self) -> tuple[object, ...]:
        values = {key: bytes(value) for key, value in self._values.items()}
        return (Extra, (values, self.order))


class ExtraFieldsError(TypeError):
    """Raised by ``encode_unknown`` for an object that has to be taken apart before encoding."""


class Tagged(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A JSON object that names its own type."""

    @property
    def type(self) -> str:
        """The wire ``type``."""
        return str(self.__struct_config__.tag)


class KeepsExtra(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    # An object with keys that its class does not know takes the slower way, which keeps them.
    forbid_unknown_fields=True,
):
    """An object that keeps what its class does not name.

    Attributes:
        extra: What came in the object besides the fields of its class; goes back out in its place.
            None when that is nothing.
    """

    # No key of that name is sent: the codec takes ``extra`` apart.
    extra: Extra | None = msgspec.field(default=None, name="(extra)")


class Extensible(KeepsExtra, frozen=True, kw_only=True, tag_field="type"):
    """An object that keeps what its class does not name, and names its own type.

    Attributes:
        extra: As for ``KeepsExtra``.
    """

    @property
    def type(self) -> str:
        """The wire ``type``."""
        return str(self.__struct_config__.tag)


def null() -> None:
    """Default of a field that goes out as ``null`` when unset.

    As a factory it does not count as a default, so ``omit_defaults`` keeps the key.
    """


class InputText(Extensible, frozen=True, tag="input_text", gc=False):
    """Text for the model to read."""

    text: str


class InputImage(Extensible, frozen=True, tag="input_image", gc=False):
    """An image for the model to look at, by its address or by an uploaded file.

    Attributes:
        image_url: An ``https:`` or ``data:`` URL, or None.
        detail: ``auto``, ``low``, ``high`` or ``original``; None leaves the choice to the server.
        file_id: Id of the file, or None.

    Raises:
        ValueError: It has neither an address nor a file.
    """

    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None

    def __post_init__(self) -> None:
        if self.image_url is None and self.file_id is None:
            message = "an image needs an image_url or a file_id"
            raise ValueError(message)


class InputAudio(Extensible, frozen=True, tag="input_audio"):
    """Sound for the model to listen to.

    Attributes:
        audio_url: A ``data:`` URL, as Codex sends it; None sends none.
        input_audio: The ``data`` in base64 and its ``format``, as the public API takes it.
    """

    audio_url: str | None = None
    input_audio: Mapping[str, Any] | None = None


class OutputText(Extensible, frozen=True, tag="output_text"):
    """Text that the model wrote.

    Attributes:
        annotations: Citations and the like, as the server sent them; go out only with ids. An
            empty tuple when the server sent none, an empty list when it sent that.
        logprobs: Token probabilities; otherwise as ``annotations``.
    """

    text: str
    annotations: Sequence[Any] | None = ()
    logprobs: Sequence[Any] | None = ()

    @property
    def citations(self) -> "list[Annotation]":
        """The annotations as typed values; of an unknown kind, an ``UnknownPart``."""
        from codex_api.types.annotations import read_annotations  # noqa: PLC0415 - seldom there

        return read_annotations(self.annotations)

    @property
    def token_logprobs(self) -> "list[TokenLogprob]":
        """The logprobs as typed values; those of another form are left out."""
        from codex_api.types.annotations import read_logprobs  # noqa: PLC0415 - seldom there

        return read_logprobs(self.logprobs)


class EncryptedContent(Extensible, frozen=True, tag="encrypted_content", gc=False):
    """Content that only the server can read."""

    encrypted_content: str


class SummaryText(Extensible, frozen=True, tag="summary_text", gc=False):
    """A piece of a reasoning summary."""

    text: str


class ReasoningText(Extensible, frozen=True, tag="reasoning_text", gc=False):
    """A piece of the reasoning itself."""

    text: str


class Text(Extensible, frozen=True, tag="text", gc=False):
    """A text without a direction: beside reasoning, and in messages of some servers."""

    text: str


class Exec(Extensible, frozen=True, tag="exec", kw_only=True):
    """Run a command.

    Attributes:
        timeout_ms: Limit in milliseconds; None leaves it to the executor.
        working_directory: None is the directory of the session.
        env: Variables to set; None changes nothing.
        user: None is the user of the session.
    """

    command: Sequence[str]
    timeout_ms: int | None = msgspec.field(default_factory=null)
    working_directory: str | None = msgspec.field(default_factory=null)
    env: Mapping[str, str] | None = msgspec.field(default_factory=null)
    user: str | None = msgspec.field(default_factory=null)


class Search(Extensible, frozen=True, tag="search"):
    """Look something up on the web.

    Attributes:
        sources: Where the answer was found, as the server sent it; None when it did not tell.
    """

    query: str | None = None
    queries: Sequence[str] | None = None
    sources: Sequence[Any] | None = None


class OpenPage(Extensible, frozen=True, tag="open_page", gc=False):
    """Open a web page."""

    url: str | None = None


class FindInPage(Extensible, frozen=True, tag="find_in_page", gc=False):
    """Find text on a web page."""

    url: str | None = None
    pattern: str | None = None


class UnknownPart:
    """A part that this version has no class for; goes back out as it came.

    No struct, so that the encoder asks ``encode_unknown`` for it and known parts need no look.

    Attributes:
        raw: The exact JSON.
    """

    __slots__ = ("raw",)
    __match_args__ = ("raw",)
    raw: msgspec.Raw

    def __init__(self, raw: msgspec.Raw | bytes | str) -> None:
        value = raw if isinstance(raw, msgspec.Raw) else msgspec.Raw(raw)
        object.__setattr__(self, "raw", value)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Self":
        """Make a part of any JSON object."""
        return cls(msgspec.json.encode(value))

    @property
    def type(self) -> str:
        """The wire ``type``; empty when the part has none."""
        return wire_type(self.raw)

    @property
    def value(self) -> Any:  # noqa: ANN401  # any JSON
        """The part as plain Python values."""
        return msgspec.json.decode(self.raw)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        message = f"immutable type: {type(self).__name__!r}"
        raise AttributeError(message)

    def __delattr__(self, name: str) -> NoReturn:
        self.__setattr__(name, None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UnknownPart):
            return NotImplemented
        return self.raw == other.raw

    def __hash__(self) -> int:
        return hash(bytes(self.raw))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({bytes(self.raw)!r})"

    def __reduce__(self) -> tuple[object, tuple[bytes]]:
        return (type(self), (bytes(self.raw),))


def encode_unknown(value: object) -> object:
    """Return what to encode for an ``UnknownPart`` or a mapping that is no ``dict``.

    An ``enc_hook`` for msgspec encoders.

    Raises:
        ExtraFieldsError: ``value`` is the ``extra`` of an item or part.
        TypeError: ``value`` is of another type, which has no JSON form.
    """
    if isinstance(value, UnknownPart):
        return value.raw
    if isinstance(value, Extra):
        message = "an item or part with extra fields needs codex_api.items.encode_item"
        raise ExtraFieldsError(message)
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    message = f"a value of type {type(value).__name__} has no JSON form"
    raise TypeError(message)


class _Head(msgspec.Struct):
    type: str = ""


def wire_type(raw: msgspec.Raw | bytes) -> str:
    """Return the string ``type`` of a JSON object; empty when there is none."""
    try:
        return msgspec.json.decode(raw, type=_Head).type
    except msgspec.ValidationError:
        return ""


ContentPart: TypeAlias = InputText | InputImage | InputAudio | OutputText | Text | UnknownPart
AgentContentPart: TypeAlias = InputText | EncryptedContent | UnknownPart
OutputPart: TypeAlias = InputText | InputImage | InputAudio | EncryptedContent | UnknownPart
SummaryPart: TypeAlias = SummaryText | UnknownPart
ReasoningPart: TypeAlias = ReasoningText | Text | UnknownPart
WebSearchAction: TypeAlias = Search | OpenPage | FindInPage | UnknownPart
