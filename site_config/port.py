"""``python -m site_config.port 8000``: exits with status 1 and one line if the port can't be used."""

import socket
import sys


def check(port: str) -> None:
    """Raises SystemExit if a site can't listen on this port of the machine."""
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise SystemExit(
            f"PORT={port} is not valid: use a whole number, 1 to 65535, such as `make run PORT=8001`."
        )
    if problem := problem_of(int(port)):
        raise SystemExit(problem)


def problem_of(port: int, address: str = "127.0.0.1") -> str | None:
    """Why a site can't listen there, and how to pick another port; None if it can."""
    error = _error(port, address)
    if error is None:
        return None
    others = range(port + 1, min(port + 100, 65_536))
    free = next((other for other in others if _error(other, address) is None), 8000)
    hint = f"`make run PORT={free}`, or `python manage.py runserver {free}`"
    return f"Port {port} can't be used: {error.strerror}. Pick another: {hint}."


def _error(port: int, address: str) -> OSError | None:
    try:
        [(family, kind, _, _, target), *_] = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as runserver does
            probe.bind(target)
    except OSError as error:
        return error
    return None


if __name__ == "__main__":
    check(sys.argv[1])
