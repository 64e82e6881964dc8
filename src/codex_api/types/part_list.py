"""Lists of parts that say when they change.

A session sends a long history again and again, and has to know whether a list inside one of its
items was changed since. Of lists of this kind it need not look at each: all of them together keep
one sign, which every change to any of them replaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_CHANGING = (
    "__delitem__",
    "__iadd__",
    "__imul__",
    "__setitem__",
    "append",
    "clear",
    "extend",
    "insert",
    "pop",
    "remove",
    "reverse",
    "sort",
)


class PartList(list[_T]):
    """A list in all respects, which the library makes for the items that it makes.

    Attributes:
        sign: Another object after each change to any list of this kind.
    """

    __slots__ = ()

    sign: ClassVar[object] = object()


def _telling(name: str) -> Callable[..., Any]:
    change = getattr(list, name)

    def changed(self: PartList[Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401  # as ``list`` has it
        try:
            return change(self, *args, **options)
        finally:
            # Afterwards: who sees the new sign sees the change too.
            PartList.sign = object()

    changed.__name__, changed.__doc__ = name, change.__doc__
    return changed


for _name in _CHANGING:
    setattr(PartList, _name, _telling(_name))
