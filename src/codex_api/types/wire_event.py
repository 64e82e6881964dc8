"""What all events have in common that are decoded straight from the wire."""

# Annotations are not put off here: a decoder would compile those of a class for each heir of it.

from msgspec import Struct, field


class WireEvent(
    Struct,
    frozen=True,
    gc=False,
    kw_only=True,
    tag_field="type",
    omit_defaults=True,
    repr_omit_defaults=True,
):
    """An event whose class is decoded straight from the wire.

    Attributes:
        sequence_number: Place of the event in the stream, as the server counts, or None.
    """

    # Any event may carry these two on the side. Of type None they make the direct decode fail, so
    # that only such events are read slowly; searching every event for them would cost more.
    _headers: None = field(default=None, name="headers")
    _safety_buffering: None = field(default=None, name="safety_buffering")
    sequence_number: int | None = None


class NoWireForm:
    """Makes encoders refuse the event that holds it: the wire has another form of it, or none.

    One that looks like the wire's would be worse than none, since no client could read it.
    ``codex_api.events.encode_event`` writes those that the wire has.
    """

    __slots__ = ()

    def __reduce__(self) -> str:
        return "NO_WIRE_FORM"


NO_WIRE_FORM = NoWireForm()


class NotWire(Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """An event that was made here of what the wire said."""

    _no_wire_form: NoWireForm = NO_WIRE_FORM
