"""The nginx of deploy/, on free loopback ports and with a certificate of its own."""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT
from tests.services import answers, free_port, need, wait_until

SAMPLE = ROOT / "deploy/nginx/housekeeping.conf"
# What Debian's nginx.conf has around the files in conf.d.
AROUND = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/housekeeping.conf;
}}
"""


def program() -> str:
    return need("nginx", shutil.which("nginx") or shutil.which("/usr/sbin/nginx"))


@dataclass(frozen=True)
class Nginx:
    folder: Path
    http: int
    https: int

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"

    def configure(self, sample: str, *, site: int) -> None:
        """Write the sample with these ports, for localhost, in front of the site at the port ``site``."""
        _make_certificate(self.folder)
        changes = {
            "listen 80;": f"listen 127.0.0.1:{self.http};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.https} ssl http2;",
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{site};",
            "https://$host$request_uri": f"https://$host:{self.https}$request_uri",
            "Host $host;": "Host $http_host;",  # the port is another one than 443
            "/etc/ssl/www.example.com": str(self.folder),
            "www.example.com": "localhost",
        }
        for ours, here in changes.items():
            assert ours in sample, ours
            sample = sample.replace(ours, here)
        (self.folder / "housekeeping.conf").write_text(sample)
        (self.folder / "nginx.conf").write_text(AROUND.format(folder=self.folder))

    def command(self, *words: str) -> list[str]:
        return [program(), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), *words]

    def check(self) -> "subprocess.CompletedProcess[str]":
        """``nginx -t``"""
        return subprocess.run(self.command("-t"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        server = subprocess.Popen(self.command())
        try:
            wait_until(lambda: answers(self.https), what="nginx")
            yield
        finally:
            server.terminate()
            server.wait(20)


def here(folder: Path) -> Nginx:
    return Nginx(folder, free_port(), free_port())


def _make_certificate(folder: Path) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:TRUE"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    openssl = need("openssl", shutil.which("openssl"))
    subprocess.run([openssl, *words.split(), *names, *files], check=True, capture_output=True)


def directives(sample: str, name: str) -> list[str]:
    """The values of each directive of this name."""
    return re.findall(rf"^\s*{name}\s+(.*?);", sample, re.MULTILINE)
