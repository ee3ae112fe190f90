"""``python -m site_config.port 8000``: exits with status 1 and one line if the port can't be used."""

import socket
import sys


def check(port: str) -> None:
    """Raises SystemExit if a site can't listen on this port of the machine."""
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise SystemExit(
            f"PORT={port} is not valid: use a whole number, 1 to 65535, such as `make run PORT=8001`."
        )
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
