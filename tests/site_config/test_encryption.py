"""A URL that asks for TLS gets it or no connection: none without, and none to a server nobody vouches for."""

import datetime
import socketserver
import ssl
import threading

import psycopg
import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.mail import EmailMessage
from django.utils.module_loading import import_string

from housekeeping.queue import RedisQueue
from site_config import env
from tests import services


@pytest.fixture
def send(monkeypatch):
    """Send a mail as a site with this EMAIL_URL does."""

    def send_by(url):
        monkeypatch.setenv("EMAIL_URL", url)
        facts = env.email("EMAIL_URL", "", smtp="housekeeping.journal.smtp.EmailBackend")
        options = {name.removeprefix("EMAIL_").lower(): value for name, value in facts.items()}
        backend = import_string(options.pop("backend"))(**options, timeout=5)
        return backend.send_messages([EmailMessage("A link", "Secret", to=["ada@example.com"])])

    return send_by


@pytest.fixture
def impostor(tmp_path):
    """The port of a server with a certificate of its own making."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = tmp_path / "made.pem"
    file.write_bytes(
        made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    class Session(socketserver.BaseRequestHandler):
        def handle(self):
            with pytest.raises(ssl.SSLError):  # the client breaks off
                context.wrap_socket(self.request, server_side=True)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize("scheme", ["smtps", "smtp+tls", "smtp+ssl"])
def test_no_mail_goes_to_a_server_without_tls(scheme, send):
    with services.mail_server() as server:
        with pytest.raises(OSError, match=r"STARTTLS|SSL"):
            send(f"{scheme}://127.0.0.1:{server.port}")

        assert server.accepted == []


def test_no_mail_goes_to_a_server_that_nobody_vouches_for(impostor, send):
    with pytest.raises(ssl.SSLCertVerificationError):
        send(f"smtp+ssl://localhost:{impostor}")


def test_no_queue_is_on_a_server_without_tls():
    with services.mail_server() as server:  # it says something at once, unlike Redis, which waits
        queue = RedisQueue("encrypted", url=f"rediss://127.0.0.1:{server.port}/0")

        with pytest.raises(redis.exceptions.ConnectionError, match="SSL"):
            queue.storage.conn.ping()


def test_no_queue_is_on_a_redis_that_nobody_vouches_for(impostor):
    queue = RedisQueue("encrypted", url=f"rediss://localhost:{impostor}/0")

    with pytest.raises(redis.exceptions.ConnectionError, match="certificate verify failed"):
        queue.storage.conn.ping()


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_no_database_is_on_a_postgresql_without_tls(mode, postgres_url):
    with pytest.raises(psycopg.OperationalError, match="SSL"):
        psycopg.connect(postgres_url, sslmode=mode)
