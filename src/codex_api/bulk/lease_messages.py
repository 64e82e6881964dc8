"""What a holder of grants and their owner say to each other, as values and as bytes.

A lease has hundreds of grants. They follow each other and cover the same, so the first one and
their number say all.
"""

from __future__ import annotations

from typing import Final

import msgspec

from codex_api.bulk.budget import Grant, TooLarge
from codex_api.bulk.load import Load
from codex_api.rate_limits import ApiRateLimits


class Report(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of a lent grant: ``seen``, ``refused``, ``overloaded`` or ``lost``."""

    number: int
    outcome: str
    limits: ApiRateLimits | None = None
    retry_after: float | None = None
    limit: str | None = None


class Lease(msgspec.Struct, frozen=True):
    """What an owner lends.

    Attributes:
        epoch: Names the owner's life; grants of another one mean nothing to it.
        grants: As many as may be sent now, at most as many as were asked for.
        delay: Seconds after which to ask again.
        limit: What binds.
        too_large: Whether no waiting would let such requests in.
    """

    epoch: str
    grants: list[Grant]
    delay: float = 0.0
    limit: str = ""
    too_large: TooLarge | None = None


class _Lent(msgspec.Struct, array_like=True):
    """A lease in few bytes: its grants follow each other, and cover the same."""

    epoch: str
    count: int
    first: Grant | None
    delay: float
    limit: str
    too_large: TooLarge | None


class Told(msgspec.Struct, array_like=True):
    """What a holder says.

    Attributes:
        holder: Who says it.
        epoch: Of the grants.
        seen: Numbers of those that were answered and tell no limits: most of them.
        reports: What became of the others.
        wanted: How many grants to lend at most.
        load: Of one request.
    """

    holder: str
    epoch: str
    seen: list[int]
    reports: list[Report]
    wanted: int
    load: Load


_ENCODE: Final = msgspec.msgpack.Encoder().encode
_TOLD: Final[msgspec.msgpack.Decoder[Told]] = msgspec.msgpack.Decoder(Told)
_LENT: Final[msgspec.msgpack.Decoder[_Lent]] = msgspec.msgpack.Decoder(_Lent)


def pack(holder: str, epoch: str, reports: list[Report], wanted: int, load: Load) -> bytes:
    """Write what ``BudgetOwner.exchange`` takes as bytes, for ``exchange_packed``."""
    seen: list[int] = []
    more: list[Report] = []
    for report in reports:
        if report.limits is None and report.outcome == "seen":
            seen.append(report.number)
        else:
            more.append(report)
    return _ENCODE(Told(holder, epoch, seen, more, wanted, load))


def unpack(data: bytes) -> Lease:
    """Read what ``BudgetOwner.exchange_packed`` returned.

    Raises:
        msgspec.DecodeError: It is something else.
    """
    lent = _LENT.decode(data)
    grants = [] if lent.first is None else [_nth(lent.first, nth) for nth in range(lent.count)]
    return Lease(lent.epoch, grants, lent.delay, lent.limit, lent.too_large)


def pack_lease(lease: Lease) -> bytes:
    """Write what ``unpack`` reads."""
    grants = lease.grants
    first = grants[0] if grants else None
    lent = _Lent(lease.epoch, len(grants), first, lease.delay, lease.limit, lease.too_large)
    return _ENCODE(lent)


def unpack_told(data: bytes) -> Told:
    """Read what ``pack`` wrote.

    Raises:
        msgspec.DecodeError: It is something else.
    """
    return _TOLD.decode(data)


def _nth(first: Grant, nth: int) -> Grant:
    load, sent = first.load, first.sent
    sent = Load(sent[0] + nth * load[0], sent[1] + nth * load[1], sent[2] + nth * load[2])
    return Grant(first.number + nth, first.at, load, sent)
