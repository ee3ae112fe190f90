"""Where messages may go: to listed hosts alone, never inside, and never longer than the limit."""

import threading
import time

import pytest

from housekeeping.exceptions import AddressRefused
from housekeeping.journal import posting
from tests import receivers, services
from tests.services import wait_until


@pytest.fixture
def hosts(settings):
    def lists(*names):
        settings.HOUSEKEEPING_WEBHOOK_HOSTS = list(names)

    lists()
    return lists


@pytest.fixture
def receiver():
    with receivers.receiver() as server:
        yield server


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("hooks.example.com", "https://hooks.example.com/services/T1/B2?x=1"),
        ("hooks.example.com", "https://HOOKS.example.com:443/"),
        (".example.com", "https://a.b.example.com/"),
        (".example.com", "https://example.com/"),
        ("10.0.0.5:8080", "http://10.0.0.5:8080/in"),
        ("[::1]:9000", "http://[::1]:9000/in"),
        ("example.com:8443", "https://example.com:8443/in"),
    ],
)
def test_a_listed_host_is_accepted(hosts, listed, url):
    hosts(listed)

    assert posting.read_listed(url).is_public == (":" not in listed)


@pytest.mark.parametrize(
    ("listed", "url"),
    [
        ("", "https://hooks.example.com/"),
        ("example.com", "https://hooks.example.com/"),
        ("example.com", "https://example.com.evil.test/"),
        (".example.com", "https://evilexample.com/"),
        ("example.com", "https://example.com:8443/"),
        ("example.com", "http://example.com/"),
        ("example.com", "http://example.com:443/"),
        ("example.com", "https://example.com@evil.test/"),
        ("example.com", "https://evil.test#@example.com/"),
        ("example.com", "https://evil.test\\@example.com/"),
        ("example.com", "https://example.com\r\nHost: evil.test/"),
        ("example.com", "https://user:password@example.com/"),
        ("example.com", "ftp://example.com/"),
        ("example.com", "file:///etc/passwd"),
        ("example.com", "https:///etc/passwd"),
        ("example.com", "https://example.com:99999/"),
        ("10.0.0.5:8080", "http://10.0.0.5:8081/"),
        ("10.0.0.5:8080", "http://0xa000005:8080/"),
    ],
)
def test_any_other_address_is_refused(hosts, listed, url):
    hosts(*filter(None, [listed]))

    with pytest.raises(AddressRefused):
        posting.read_listed(url)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "[::]"])
def test_a_host_that_is_listed_by_its_name_alone_does_not_lead_inside(hosts, name):
    hosts(name)

    with pytest.raises(AddressRefused, match="inside"):
        posting.post(posting.read_listed(f"https://{name}/"), b"", {})


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "2002:0a00:0001::", "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "::ffff:169.254.169.254",
    ],
)  # fmt: skip
def test_an_inside_address_is_known_in_every_form(ip):
    assert not posting._is_public(posting.ipaddress.ip_address(ip))


@pytest.mark.parametrize("ip", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
def test_a_public_address_is_known(ip):
    assert posting._is_public(posting.ipaddress.ip_address(ip))


def test_a_listed_port_may_be_inside_and_the_request_is_whole(hosts, receiver):
    hosts(receiver.host)

    status = posting.post(posting.read_listed(f"{receiver.url}/in?x=1"), b"body", {"X-One": "1"})

    [request] = receiver.received
    assert (status, request.path, request.query, request.body) == (200, "/in", {"x": ["1"]}, b"body")
    assert (request.headers["Host"], request.headers["X-One"]) == (receiver.host, "1")
    assert request.headers["User-Agent"].startswith("django-housekeeping/")


def test_a_redirect_is_not_followed(hosts, receiver):
    hosts(receiver.host)
    receiver.status, receiver.location = 307, f"{receiver.url}/elsewhere"

    assert posting.post(posting.read_listed(receiver.url), b"", {}) == 307
    assert [request.path for request in receiver.refused] == ["/"]


def test_a_proxy_of_the_environment_is_not_used(hosts, receiver, monkeypatch):
    hosts(receiver.host)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{services.free_port()}")

    assert posting.post(posting.read_listed(receiver.url), b"", {}) == 200


def test_a_server_that_drips_is_left_in_time(hosts, receiver, monkeypatch):
    hosts(receiver.host)
    monkeypatch.setattr(posting, "SECONDS", 0.5)
    receiver.drips = True
    began = time.monotonic()

    with pytest.raises(posting.Unreachable, match="TimeoutError"):
        posting.post(posting.read_listed(receiver.url), b"", {})

    assert time.monotonic() - began < 3
    wait_until(lambda: all(thread.name != "http" for thread in threading.enumerate()))


def test_a_server_that_is_down_or_unknown_is_unreachable(hosts):
    port = services.free_port()
    hosts(f"127.0.0.1:{port}", "nowhere.invalid:80")

    for url, word in (
        (f"http://127.0.0.1:{port}", "ConnectionRefusedError"),
        ("http://nowhere.invalid", "gai"),
    ):
        with pytest.raises(posting.Unreachable, match=word):
            posting.post(posting.read_listed(url), b"", {})


def test_a_certificate_that_nobody_vouches_for_is_refused(hosts, receiver):
    hosts(receiver.host)  # it speaks no TLS at all

    with pytest.raises(posting.Unreachable, match="SSLError"):
        posting.post(posting.read_listed(f"https://{receiver.host}/"), b"", {})
