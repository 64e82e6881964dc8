"""A certificate for a server on this machine, made for one run and trusted by nobody else.

The key of its authority is never written down, so that whoever trusts the file trusts this one
server and no other. All of it is gone when the server ends.
"""

from __future__ import annotations

import ipaddress
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codex_api._imports import installed_by
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_ALWAYS = ("localhost", "127.0.0.1", "::1")
_ONLY_OWNER = 0o600
#: What programs read to learn of an authority: ours, OpenSSL's, requests, curl, Node.
VARIABLES = (
    "CODEX_CA_CERTIFICATE",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)


@dataclass(frozen=True, slots=True)
class MadeCertificate:
    """Files in PEM.

    Attributes:
        chain: The certificate of the server.
        key: Its private key, for its owner only.
        authority: What a client has to trust.
    """

    chain: Path
    key: Path
    authority: Path


@contextmanager
def made_certificate(names: Iterable[str]) -> Generator[MadeCertificate]:
    """Make a certificate for this machine and for further names and addresses.

    Raises:
        RequestBuildError: The extra is missing, or a name is none.
    """
    try:
        with installed_by("tls", "trustme"):
            import trustme  # noqa: PLC0415 - extra
    except ModuleNotFoundError as exc:
        raise RequestBuildError(str(exc)) from exc
    wanted = dict.fromkeys([*_ALWAYS, *filter(_is_name, names)])
    try:
        authority = trustme.CA(organization_name="codex-api serve")
        leaf = authority.issue_cert(*wanted)
    except ValueError as exc:
        message = f"no certificate can be made for {', '.join(wanted)}: {exc}"
        raise RequestBuildError(message) from exc
    with tempfile.TemporaryDirectory(prefix="codex-api-tls-") as folder:
        made = MadeCertificate(*(Path(folder) / f"{each}.pem" for each in ("server", "key", "ca")))
        made.key.touch(mode=_ONLY_OWNER)
        made.key.write_bytes(leaf.private_key_pem.bytes())
        made.chain.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
        made.authority.write_bytes(authority.cert_pem.bytes())
        yield made


def _is_name(host: str) -> bool:
    """Tell whether clients may use ``host``: nobody connects to "every address"."""
    try:
        return not ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return bool(host)
