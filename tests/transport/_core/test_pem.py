from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api.transport._core.pem import PemError, is_certificate, parse_certificates

DER = b"\x30\x03\x02\x01\x05"
OTHER = b"\x30\x03\x02\x01\x06"
AUX = b"\x30\x00"
LONG = b"\x30\x81\x80" + bytes(128)
LONGER = b"\x30\x82\x01\x00" + bytes(256)


def block(der: bytes, label: str = "CERTIFICATE", *, width: int = 64) -> bytes:
    text = b64encode(der)
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    name = label.encode()
    return b"\n".join(
        [b"-----BEGIN " + name + b"-----", *lines, b"-----END " + name + b"-----", b""]
    )


def test_every_certificate_is_taken_in_order() -> None:
    assert parse_certificates(block(DER) + block(LONG) + block(OTHER)) == [DER, LONG, OTHER]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r", b"  \n"])
def test_line_endings_and_trailing_spaces_do_not_matter(ending: bytes) -> None:
    bundle = block(LONGER).replace(b"\n", ending)

    assert parse_certificates(bundle) == [LONGER]


def test_file_may_end_without_a_line_ending() -> None:
    assert parse_certificates(block(DER).rstrip()) == [DER]


def test_text_around_the_blocks_is_passed_over() -> None:
    bundle = (
        b"# \xff my roots\nsubject=/CN=x\n" + block(DER) + b"\n-----END nothing\n" + block(OTHER)
    )

    assert parse_certificates(bundle) == [DER, OTHER]


@pytest.mark.parametrize("der", [DER, LONG, LONGER], ids=["short", "one byte", "two bytes"])
def test_trusted_certificate_loses_its_trust_settings(der: bytes) -> None:
    assert parse_certificates(block(der + AUX, "TRUSTED CERTIFICATE")) == [der]
    assert parse_certificates(block(der, "TRUSTED CERTIFICATE")) == [der]


def test_plain_certificate_is_left_for_the_tls_library_to_judge() -> None:
    assert parse_certificates(block(DER + AUX)) == [DER + AUX]


@pytest.mark.parametrize(
    "der",
    [
        b"\x30",
        b"\x30\x05\x02\x01",
        b"\x30\x80\x02\x01\x05\x00\x00",
        b"\x30\x81",
        b"\x30\x82\x01\x00\x00",
        b"\x30\x85\x00\x00\x00\x00\x01\x00",
        b"\x30\xff" + bytes(200),
    ],
    ids=["tag only", "short", "indefinite", "no length", "long", "overlong", "reserved"],
)
def test_trusted_certificate_with_an_impossible_length_is_refused(der: bytes) -> None:
    with pytest.raises(PemError, match="line 1 has an invalid DER length"):
        parse_certificates(block(der, "TRUSTED CERTIFICATE"))


def test_revocation_lists_and_other_sections_are_passed_over() -> None:
    key = b"-----BEGIN KEY-----\nProc-Type: 4,ENCRYPTED\n\nxx\n-----END KEY-----\n"
    bundle = block(DER, "X509 CRL") + key + block(DER, "X509 CERTIFICATE") + block(OTHER)

    assert parse_certificates(bundle) == [OTHER]


@pytest.mark.parametrize("bundle", [b"", b"\n", b"text\n", b"\x30\x82\x01", block(DER, "X509 CRL")])
def test_bundle_without_certificates_is_refused(bundle: bytes) -> None:
    with pytest.raises(PemError, match=r"^no certificates found in PEM file$"):
        parse_certificates(bundle)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"-----BEGIN CERTIFICATE-----\nMAMCAQU=\n", "has no end"),
        (b"-----BEGIN CERTIFICATE-----\nMAMCAQU=\n" + block(OTHER), "has no end"),
        (b"-----BEGIN PRIVATE KEY-----\nMAMCAQU=\n", "has no end"),
        (b"-----BEGIN CERTIFICATE-----\nMA*=\n-----END CERTIFICATE-----\n", "is not base64"),
        (b"-----BEGIN CERTIFICATE-----\nMAM\n-----END CERTIFICATE-----\n", "is not base64"),
        (b"-----BEGIN CERTIFICATE-----\nMAMC=\n-----END CERTIFICATE-----\n", "is not base64"),
        (b"-----BEGIN CERTIFICATE-----\nMA==MAMC\n-----END CERTIFICATE-----\n", "is not base64"),
        (b"-----BEGIN X509 CRL-----\n!\n-----END X509 CRL-----\n", "is not base64"),
        (b"-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n", "is empty"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "is empty"),
        (b"-----BEGIN CERTIFICATE-----\nMAM=\n-----END KEY-----\n", "ends under another name"),
        (b"-----BEGIN CERTIFICATE\nMAM=\n-----END CERTIFICATE-----\n", "has a broken marker"),
        (b"-----BEGIN -----\nMAM=\n-----END -----\n", "has a broken marker"),
    ],
)
def test_malformed_block_fails_the_bundle_and_names_its_line(bad: bytes, reason: str) -> None:
    with pytest.raises(PemError, match=f"at line 4 {reason}"):
        parse_certificates(block(DER) + bad)


def test_broken_end_marker_is_named_by_its_own_line() -> None:
    with pytest.raises(PemError, match="line 3 has a broken marker"):
        parse_certificates(b"-----BEGIN CERTIFICATE-----\nMAM=\n-----END CERTIFICATE\n")


@pytest.mark.parametrize(
    ("der", "expected"),
    [
        (b"\x30\x06\x30\x00\x30\x00\x03\x00", True),
        (b"\x30\x81\x06\x30\x00\x30\x00\x03\x00", True),
        (b"\x30\x06\x30\x00\x30\x00\x03\x00\x00", False),
        (b"\x30\x04\x30\x00\x30\x00", False),
        (b"\x30\x06\x30\x00\x03\x00\x30\x00", False),
        (b"\x31\x06\x30\x00\x30\x00\x03\x00", False),
        (b"\x30\x06\x30\x00\x30\x00\x03\x01", False),
        (b"", False),
        (DER, False),
    ],
)
def test_outline_of_a_certificate_is_recognized(der: bytes, *, expected: bool) -> None:
    assert is_certificate(der) == expected


markers = st.sampled_from(
    [b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b"MAMCAQU=", b"-----BEGIN ", b""]
)


@given(st.lists(st.one_of(markers, st.binary(max_size=20))).map(b"\n".join))
def test_random_bytes_raise_nothing_but_the_documented_error(bundle: bytes) -> None:
    try:
        certificates = parse_certificates(bundle)
    except PemError:
        return

    assert certificates
    for der in certificates:
        is_certificate(der)
