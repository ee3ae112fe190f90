"""``python -m site_config.port 8000``: ends with one line, and status 1, where the port is taken."""

import socket
import sys


def check(port: str) -> None:
    """Raises SystemExit where no site could listen on the port of this machine."""
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise SystemExit(f"PORT={port}: write a whole number from 1 to 65535, as in `make run PORT=8001`.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as runserver does
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            other = int(port) % 65_535 + 1
            text = f"Port {port} can't be used: {error.strerror}. Pick another: `make run PORT={other}`."
            raise SystemExit(text) from None


if __name__ == "__main__":
    check(sys.argv[1])
