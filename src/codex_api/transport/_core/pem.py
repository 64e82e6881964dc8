"""Certificates of a PEM bundle, as DER.

The rules are those of the bundles that people have at hand: text may stand around the blocks, every
``CERTIFICATE`` counts, OpenSSL's ``TRUSTED CERTIFICATE`` counts without the trust settings that it
appends, and revocation lists, keys and other sections are passed over. A block that is cut short or
garbled fails the whole bundle: a certificate that silently went missing costs more to find.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_DASHES: Final = b"-----"
_CERTIFICATE: Final = b"CERTIFICATE"
_TRUSTED: Final = b"TRUSTED CERTIFICATE"
_REVOCATION_LIST: Final = b"X509 CRL"
_BASE64_GROUP: Final = 4
_SEQUENCE: Final = 0x30
_CERTIFICATE_TAGS: Final = b"\x30\x30\x03"
_LONG_FORM: Final = 0x80
# More would be an object of 4 GiB.
_MAX_LENGTH_BYTES: Final = 4


class PemError(ValueError):
    """The bundle cannot be used; the text says why, and in which line."""


class _Block(msgspec.Struct, frozen=True):
    label: bytes
    line: int
    body: bytes


def parse_certificates(bundle: bytes) -> list[bytes]:
    """Return the DER of every certificate, in the order of the bundle.

    Raises:
        PemError: A block is malformed, or the bundle has no certificate.
    """
    certificates: list[bytes] = []
    for block in _blocks(bundle):
        if block.label == _CERTIFICATE:
            certificates.append(_decoded(block))
        elif block.label == _TRUSTED:
            certificates.append(_first_object(block))
        elif block.label == _REVOCATION_LIST:
            _decoded(block)
    if not certificates:
        raise PemError("no certificates found in PEM file")
    return certificates


def _blocks(bundle: bytes) -> Iterator[_Block]:
    label: bytes | None = None
    begun_at = 0
    body: list[bytes] = []
    for number, raw_line in enumerate(bundle.splitlines(), start=1):
        line = raw_line.strip()
        if line.startswith(_BEGIN):
            if label is not None:
                raise _malformed(begun_at, "has no end")
            label, begun_at, body = _label(line, _BEGIN, number), number, []
        elif label is None:
            continue
        elif not line.startswith(_END):
            body.append(line)
        elif _label(line, _END, number) != label:
            raise _malformed(begun_at, "ends under another name")
        else:
            yield _Block(label, begun_at, b"".join(body))
            label = None
    if label is not None:
        raise _malformed(begun_at, "has no end")


def _label(line: bytes, prefix: bytes, number: int) -> bytes:
    if not line.endswith(_DASHES) or len(line) <= len(prefix) + len(_DASHES):
        raise _malformed(number, "has a broken marker")
    return line[len(prefix) : -len(_DASHES)]


def _decoded(block: _Block) -> bytes:
    try:
        der = binascii.a2b_base64(block.body, strict_mode=True)
    except binascii.Error as exc:
        raise _malformed(block.line, "is not base64") from exc
    # The strict mode lets surplus padding pass.
    if len(block.body) % _BASE64_GROUP:
        raise _malformed(block.line, "is not base64")
    if not der:
        raise _malformed(block.line, "is empty")
    return der


def is_certificate(der: bytes) -> bool:
    """Return whether ``der`` is shaped as an X.509 certificate: two sequences, a signature."""
    outer = _extent(der, 0)
    if outer is None or der[0] != _SEQUENCE or outer[1] != len(der):
        return False
    at, tags = outer[0], bytearray()
    while at < len(der):
        part = _extent(der, at)
        if part is None:
            return False
        tags.append(der[at])
        at = part[1]
    return bytes(tags) == _CERTIFICATE_TAGS


def _first_object(block: _Block) -> bytes:
    """Cut off what follows the first DER object."""
    der = _decoded(block)
    extent = _extent(der, 0)
    if extent is None:
        raise _malformed(block.line, "has an invalid DER length")
    return der[: extent[1]]


def _extent(der: bytes, at: int) -> tuple[int, int] | None:
    """Return where the contents of the DER object at ``at`` begin and end."""
    start = at + 2
    if len(der) < start:
        return None
    length = der[at + 1]
    if length >= _LONG_FORM:
        count = length - _LONG_FORM
        start += count
        # A count of zero is the indefinite form, which DER does not have.
        if not 0 < count <= _MAX_LENGTH_BYTES or len(der) < start:
            return None
        length = int.from_bytes(der[at + 2 : start], "big")
    end = start + length
    return (start, end) if end <= len(der) else None


def _malformed(line: int, what: str) -> PemError:
    return PemError(f"failed to parse PEM file: the block at line {line} {what}")
