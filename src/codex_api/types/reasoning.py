"""How hard a model should think, and how much of it to show."""

from __future__ import annotations

import msgspec

from codex_api.transport.errors import RequestBuildError


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Reasoning controls of a request; None leaves a choice to the model.

    Attributes:
        effort: ``none``, ``minimal``, ``low``, ``medium``, ``high``, ``xhigh``, ``max``, ``ultra``,
            or any other word that the model knows.
        summary: ``auto``, ``concise``, ``detailed`` or ``none``.
        context: Which reasoning to read back: ``auto``, ``current_turn`` or ``all_turns``.
        mode: ``standard`` or ``pro``.
        generate_summary: Older form of ``summary``.

    Raises:
        RequestBuildError: A value is given but empty.
    """

    effort: str | None = None
    summary: str | None = None
    context: str | None = None
    mode: str | None = None
    generate_summary: str | None = None

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if getattr(self, field) == "":
                message = f"reasoning.{field} must not be empty"
                raise RequestBuildError(message)
