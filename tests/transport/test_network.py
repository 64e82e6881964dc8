from __future__ import annotations

import os
import pickle
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from websockets.sync.server import serve

from codex_api.transport import cookie_jar
from codex_api.transport import tls as tls_module
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request
from codex_api.transport.errors import CertificateError, NetworkError, RequestBuildError
from codex_api.transport.http import HttpTransport
from codex_api.transport.network import (
    Network,
    apply_keepalive,
    load_certificates,
    proxy_for,
)
from codex_api.transport.tls import ssl_context
from codex_api.transport.websocket import connect
from tests.transport.tls_peers import connect_proxy, http_server, server_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from codex_api.transport._core.messages import Response

BODY = b'{"model":"m"}'
SHY_PROXY = "http://user:s3cret@127.0.0.1:1"
GARBAGE = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def proxy_ca() -> trustme.CA:
    return trustme.CA(organization_name="Inspection")


@pytest.fixture(scope="module")
def context(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca)


@pytest.fixture
def bundle(ca: trustme.CA, tmp_path: Path) -> Path:
    return written(tmp_path / "ca.pem", pem(ca))


def pem(*authorities: trustme.CA) -> str:
    return "".join(authority.cert_pem.bytes().decode() for authority in authorities)


def der(authority: trustme.CA) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem(authority))


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def configured(network: Network) -> list[bytes] | None:
    return load_certificates(network, os.environ)


def post(network: Network, url: str) -> Response:
    transport = HttpTransport(network)
    try:
        request = Request(method="POST", url=url, headers=Headers(), body=RawBody(BODY))
        return transport.execute(request, timeout=10)
    finally:
        transport.close()


@contextmanager
def echo_websocket(context: ssl.SSLContext) -> Iterator[int]:
    def echo(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


def websocket_echo(network: Network, url: str) -> str | bytes:
    websocket = connect(url, Headers(), network=network, deflate=False, connect_timeout=10)
    try:
        websocket.send("hello")
        return websocket.recv(10)
    finally:
        websocket.close()


# Which bundle


def test_without_settings_there_is_no_bundle() -> None:
    assert load_certificates(Network(), {}) is None
    assert load_certificates(Network(), {"CODEX_CA_CERTIFICATE": "", "SSL_CERT_FILE": ""}) is None


@pytest.mark.parametrize("name", ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])
def test_bundle_is_named_by_a_variable(name: str, bundle: Path, ca: trustme.CA) -> None:
    assert load_certificates(Network(), {name: str(bundle)}) == [der(ca)]


def test_first_bundle_is_used_alone_even_if_the_next_is_bad(bundle: Path, ca: trustme.CA) -> None:
    environ = {"CODEX_CA_CERTIFICATE": str(bundle), "SSL_CERT_FILE": "/missing"}

    assert load_certificates(Network(), environ) == [der(ca)]
    assert load_certificates(Network(ca_bundle=bundle), {"SSL_CERT_FILE": "/missing"}) == [der(ca)]


def test_bad_first_bundle_does_not_fall_through_to_the_next(bundle: Path) -> None:
    environ = {"CODEX_CA_CERTIFICATE": "/missing", "SSL_CERT_FILE": str(bundle)}

    with pytest.raises(CertificateError, match="CODEX_CA_CERTIFICATE"):
        load_certificates(Network(), environ)


def test_empty_variable_counts_as_unset(bundle: Path, ca: trustme.CA) -> None:
    environ = {"CODEX_CA_CERTIFICATE": "", "SSL_CERT_FILE": str(bundle)}

    assert load_certificates(Network(), environ) == [der(ca)]


def test_environment_is_not_read_when_it_is_not_trusted(bundle: Path) -> None:
    assert load_certificates(Network(trust_env=False), {"SSL_CERT_FILE": str(bundle)}) is None


def test_every_certificate_of_a_bundle_is_used(
    tmp_path: Path, ca: trustme.CA, proxy_ca: trustme.CA
) -> None:
    both = written(tmp_path / "both.pem", "# ours\n" + pem(ca, proxy_ca))

    assert load_certificates(Network(ca_bundle=both), {}) == [der(ca), der(proxy_ca)]


def test_renewed_bundle_is_read_again(bundle: Path, ca: trustme.CA, proxy_ca: trustme.CA) -> None:
    network = Network(ca_bundle=bundle)
    before = configured(network)
    written(bundle, "renewed\n" + pem(proxy_ca))

    assert before == [der(ca)]
    assert configured(network) == [der(proxy_ca)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "it cannot be read"),
        ("", "no certificates found in PEM file"),
        ("-----BEGIN CERTIFICATE-----\nMAM\n", "failed to parse PEM file"),
        (GARBAGE, "certificate #1 cannot be registered"),
    ],
)
@pytest.mark.parametrize("name", ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])
def test_unusable_bundle_names_variable_file_reason_and_remedy(
    tmp_path: Path, name: str, text: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bad.pem"
    if text is not None:
        written(path, text)
    monkeypatch.setenv(name, str(path))

    for use in (configured, ssl_context, lambda network: post(network, "https://x.test/")):
        with pytest.raises(CertificateError) as caught:
            use(Network(proxy=None))
        message = str(caught.value)
        assert f"of {name} cannot" in message
        assert str(path) in message
        assert reason in message
        assert "set CODEX_CA_CERTIFICATE or SSL_CERT_FILE to" in message


def test_unusable_certificate_is_named_by_its_number(tmp_path: Path, ca: trustme.CA) -> None:
    bad = written(tmp_path / "bad.pem", pem(ca) + GARBAGE)

    with pytest.raises(CertificateError, match=r"of Network\.ca_bundle .* certificate #2 cannot"):
        configured(Network(ca_bundle=bad))


def test_certificate_that_only_openssl_refuses_is_named_too(tmp_path: Path, ca: trustme.CA) -> None:
    hollow = ssl.DER_cert_to_PEM_cert(b"\x30\x06\x30\x00\x30\x00\x03\x00")
    bad = written(tmp_path / "bad.pem", pem(ca) + hollow)

    with pytest.raises(CertificateError, match="certificate #2 cannot"):
        ssl_context(Network(ca_bundle=bad))
    with pytest.raises(RequestBuildError):
        post(Network(ca_bundle=bad, proxy=None), "https://x.test/")


# Trust


def test_bundle_adds_to_the_systems_roots(
    bundle: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ssl_context(Network(trust_env=False)).get_ca_certs(binary_form=True)
    with_bundle = ssl_context(Network(ca_bundle=bundle)).get_ca_certs(binary_form=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    by_variable = ssl_context(Network()).get_ca_certs(binary_form=True)

    assert set(with_bundle) == set(by_variable) == {*plain, der(ca)}


def test_system_without_roots_leaves_the_configured_ones(
    bundle: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "missing")
    paths = ssl.DefaultVerifyPaths("", "", "", nowhere, "", nowhere)
    broken = written(tmp_path / "broken.pem", "-----BEGIN CERTIFICATE-----")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(tls_module, "_SYSTEM_BUNDLES", (str(broken),))
    monkeypatch.setenv("SSL_CERT_DIR", nowhere)
    tls_module.system_roots.cache_clear()
    tls_module._context.cache_clear()
    try:
        context = ssl_context(Network(ca_bundle=bundle))
    finally:
        tls_module.system_roots.cache_clear()
        tls_module._context.cache_clear()

    assert context.get_ca_certs(binary_form=True) == [der(ca)]


def test_root_that_the_system_has_is_not_loaded_twice(tmp_path: Path) -> None:
    network = Network(trust_env=False)
    roots = ssl_context(network).get_ca_certs(binary_form=True)
    if not roots:
        pytest.skip("this system has no roots")
    path = written(tmp_path / "known.pem", ssl.DER_cert_to_PEM_cert(roots[0]))

    context = ssl_context(replace(network, ca_bundle=path))
    assert context.get_ca_certs(binary_form=True) == roots


def test_one_context_serves_many_connections(bundle: Path) -> None:
    network = Network(ca_bundle=bundle)

    assert ssl_context(network) is ssl_context(replace(network))
    assert ssl_context(network).verify_mode is ssl.CERT_REQUIRED
    assert ssl_context(network).check_hostname


def test_post_over_tls_1_3_trusts_a_custom_root(bundle: Path, context: ssl.SSLContext) -> None:
    with http_server(context) as (port, seen):
        response = post(Network(ca_bundle=bundle, proxy=None), f"https://localhost:{port}/v1/x")

    assert (response.status, response.body) == (200, BODY)
    assert seen.requests == [("/v1/x", f"localhost:{port}", BODY)]
    assert seen.tls_versions == ["TLSv1.3"]


def test_unknown_root_is_refused(context: ssl.SSLContext) -> None:
    with http_server(context) as (port, seen), pytest.raises(NetworkError):
        post(Network(proxy=None), f"https://localhost:{port}/")

    assert seen.requests == []


def test_trusted_certificate_block_and_revocation_list_are_accepted(
    tmp_path: Path, ca: trustme.CA, context: ssl.SSLContext
) -> None:
    trusted = ssl.DER_cert_to_PEM_cert(der(ca) + b"\x30\x00").replace("CERT", "TRUSTED CERT")
    crl = "-----BEGIN X509 CRL-----\nMAMCAQU=\n-----END X509 CRL-----\n"
    path = written(tmp_path / "openssl.pem", crl + trusted)

    with http_server(context) as (port, _):
        response = post(Network(ca_bundle=path, proxy=None), f"https://127.0.0.1:{port}/")

    assert response.status == 200


@pytest.mark.parametrize("name", ["CODEX_CA_CERTIFICATE", "SSL_CERT_FILE"])
def test_websocket_trusts_what_http_trusts(
    name: str, bundle: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(bundle))

    with echo_websocket(context) as port:
        assert websocket_echo(Network(), f"wss://localhost:{port}/") == "hello"
    with http_server(context) as (port, _):
        assert post(Network(), f"https://localhost:{port}/").status == 200


def test_configured_intermediate_is_trusted_by_http_and_websocket_alike(
    tmp_path: Path, ca: trustme.CA
) -> None:
    intermediate = ca.create_child_ca()
    network = Network(ca_bundle=written(tmp_path / "mid.pem", pem(intermediate)), proxy=None)
    context = server_context(intermediate)

    with http_server(context) as (port, _):
        assert post(network, f"https://localhost:{port}/").status == 200
    with echo_websocket(context) as port:
        assert websocket_echo(network, f"wss://localhost:{port}/") == "hello"


# Proxies


def test_post_goes_through_a_proxy_that_breaks_into_tls(
    tmp_path: Path, ca: trustme.CA, proxy_ca: trustme.CA, context: ssl.SSLContext
) -> None:
    trust = ssl.create_default_context(cadata=der(ca))
    inspection = written(tmp_path / "inspection.pem", pem(proxy_ca))

    with (
        http_server(context) as (port, server),
        connect_proxy(inside=server_context(proxy_ca), trust=trust) as (proxy_port, proxy),
    ):
        network = Network(
            ca_bundle=inspection, proxy=f"http://user:s%33cret@127.0.0.1:{proxy_port}"
        )
        response = post(network, f"https://localhost:{port}/v1/x")

    assert (response.status, response.body) == (200, BODY)
    assert proxy.tunnels == [f"localhost:{port}"]
    assert proxy.proxy_authorization == ["Basic dXNlcjpzM2NyZXQ="]
    assert server.requests == [("/v1/x", f"localhost:{port}", BODY)]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_http_and_websocket_take_the_same_proxy_from_the_environment(
    name: str, bundle: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(ca_bundle=bundle)
    with connect_proxy() as (proxy_port, proxy):
        monkeypatch.setenv(name, f"http://u:p@127.0.0.1:{proxy_port}")
        with http_server(context) as (port, _):
            assert post(network, f"https://localhost:{port}/").status == 200
        with echo_websocket(context) as ws_port:
            assert websocket_echo(network, f"wss://localhost:{ws_port}/") == "hello"

    assert proxy.tunnels == [f"localhost:{port}", f"localhost:{ws_port}"]
    assert proxy.proxy_authorization == ["Basic dTpw"] * 2


def test_plain_http_goes_to_the_proxy_in_absolute_form() -> None:
    with connect_proxy() as (proxy_port, proxy):
        network = Network(proxy={"http": f"127.0.0.1:{proxy_port}"})
        response = post(network, "http://api.test/v1/x")

    assert response.body == b"by proxy"
    assert proxy.requests == [("http://api.test/v1/x", "api.test", BODY)]


def test_excepted_host_is_reached_past_the_proxy(
    bundle: Path, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "localhost")

    with http_server(context) as (port, _):
        assert post(Network(ca_bundle=bundle), f"https://localhost:{port}/").status == 200
        with pytest.raises(NetworkError):
            post(Network(ca_bundle=bundle), f"https://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Network(), "http://env:1"),
        (Network(no_proxy="other.test"), "http://env:1"),
        (Network(no_proxy=["x.test"]), None),
        (Network(trust_env=False), None),
        (Network(proxy=None), None),
        (Network(proxy="set:2"), "http://set:2"),
        (Network(proxy="set:2", trust_env=False), "http://set:2"),
        (Network(proxy="set:2", no_proxy="x.test"), None),
        (Network(proxy={"http": "set:2"}), None),
        (Network(proxy={"https": "set:2"}), "http://set:2"),
    ],
)
def test_settings_come_before_the_environment(
    network: Network, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://env:1")

    assert proxy_for(network, "wss://x.test/") == expected


def test_exceptions_of_the_environment_add_to_those_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    monkeypatch.setenv("NO_PROXY", "a.test")
    network = Network(no_proxy="b.test")

    urls = ["http://a.test", "http://b.test", "http://c.test"]
    assert [proxy_for(network, url) for url in urls] == [None, None, "http://env:1"]


def test_sandbox_without_network_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://env:1")
    monkeypatch.setenv("CODEX_SANDBOX", "seatbelt")

    assert proxy_for(Network(), "http://x.test/") is None
    assert proxy_for(Network(proxy="set:2"), "http://x.test/") == "http://set:2"


def test_unusable_proxy_is_an_error_before_any_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestBuildError) as caught:
        Network(proxy="ftp://user:s3cret@host")
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("HTTPS_PROXY", "ftp://user:s3cret@host")
    with pytest.raises(RequestBuildError, match="HTTPS_PROXY"):
        post(Network(), "https://x.test/")


# The value


def test_settings_are_equal_by_value_and_frozen() -> None:
    assert Network(proxy={"all": "a:1"}, no_proxy=["x"]) == Network(
        proxy={"all": "a:1"}, no_proxy=("x",)
    )
    with pytest.raises(FrozenInstanceError):
        Network().http2 = True  # type: ignore[misc]


def test_later_changes_of_a_given_mapping_do_not_reach_the_settings() -> None:
    urls: dict[str, str | None] = {"all": "http://a:1"}
    network = Network(proxy=urls)
    urls["all"] = "http://b:2"

    assert proxy_for(network, "http://x") == "http://a:1"


@pytest.mark.parametrize("proxy", [SHY_PROXY, {"https": SHY_PROXY}])
def test_password_of_a_proxy_is_not_shown(proxy: Any) -> None:
    network = Network(proxy=proxy, http2=True)

    assert "s3cret" not in repr(network)
    assert "s3cret" not in f"{network}"
    assert "127.0.0.1:1" in repr(network)
    assert "http2=True" in repr(network)
    assert repr(Network()) == "Network()"
    assert repr(Network(proxy=None)) == "Network(proxy=None)"


@pytest.mark.parametrize(
    "settings",
    [
        {"max_connections": 0},
        {"tcp_keepalive": 0},
        {"tcp_keepalive": 1e9},
        {"tcp_keepalive_interval": -1},
        {"tcp_keepalive_retries": 0},
        {"pool_idle_timeout": -1},
        {"pool_idle_timeout": float("nan")},
    ],
    ids=str,
)
def test_number_that_no_connection_can_have_is_refused_by_name(settings: dict[str, Any]) -> None:
    (name,) = settings

    with pytest.raises(RequestBuildError, match=f"Network.{name}"):
        Network(**settings)


@pytest.mark.parametrize("proxy", ["environment", None, SHY_PROXY, {"https": SHY_PROXY}])
def test_settings_can_be_pickled(proxy: Any) -> None:
    network = Network(proxy=proxy, no_proxy=["x"], max_connections=3)

    assert pickle.loads(pickle.dumps(network)) == network  # noqa: S301 - made here


def test_keepalive_is_set_on_a_socket() -> None:
    with socket.socket() as sock:
        apply_keepalive(Network(tcp_keepalive=None), sock)
        before = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        apply_keepalive(Network(tcp_keepalive=30.4, tcp_keepalive_retries=2), sock)

        assert before == 0
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            names = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
            values = [sock.getsockopt(socket.IPPROTO_TCP, name) for name in names]
            assert values == [30, 15, 2]


# Cookies


def test_process_wide_jar_serves_chatgpt_hosts_only() -> None:
    cookie_jar.clear()
    try:
        cookie_jar.store("https://chatgpt.com/a", Headers({"content-type": "x"}))
        assert cookie_jar.header_for("https://chatgpt.com/a") is None

        answer = Headers([("set-cookie", "__cf_bm=1; Path=/"), ("set-cookie", "session=2")])
        cookie_jar.store("https://chatgpt.com/a", answer)

        assert cookie_jar.header_for("https://chatgpt.com/b") == "__cf_bm=1"
        assert cookie_jar.header_for("https://api.openai.com/b") is None
    finally:
        cookie_jar.clear()
    assert cookie_jar.header_for("https://chatgpt.com/b") is None


def test_forked_child_finds_the_jar_unlocked() -> None:
    with cookie_jar._lock:
        held = cookie_jar._lock
        cookie_jar._renew_lock()
        try:
            assert cookie_jar.header_for("https://chatgpt.com/b") is None
        finally:
            cookie_jar._lock = held


def test_cookies_stay_away_from_other_hosts(bundle: Path, context: ssl.SSLContext) -> None:
    network = Network(ca_bundle=bundle, proxy=None)
    with http_server(context) as (port, seen):
        post(network, f"https://localhost:{port}/")
        post(network, f"https://localhost:{port}/")

    assert seen.cookies == [None, None]


def test_cookies_of_a_chatgpt_host_come_back_through_the_engine(
    tmp_path: Path, proxy_ca: trustme.CA
) -> None:
    """The proxy stands in for the real host, which tests must not reach."""
    inspection = written(tmp_path / "inspection.pem", pem(proxy_ca))
    cookie_jar.clear()
    with (
        http_server(server_context(proxy_ca, "chatgpt.com")) as (port, seen),
        connect_proxy(stand_in=port) as (proxy_port, _),
    ):
        network = Network(ca_bundle=inspection, proxy=f"http://127.0.0.1:{proxy_port}")
        for given in (network, network, replace(network, cloudflare_cookies=False)):
            post(given, "https://chatgpt.com/backend-api/codex/responses")
    cookie_jar.clear()

    assert seen.cookies == [None, "__cf_bm=1", None]
