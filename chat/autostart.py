"""A consumer beside the development server: started with it, ended with it.

The consumer's standard input is a pipe that this process holds open and never writes
to. However this process ends, be it kill -9, the system closes the pipe, and that is
what the consumer waits for.
"""

import atexit
import logging
import subprocess
import sys

logger = logging.getLogger(__name__)

PATIENCE = 28.0  # seconds: the consumer's own shutdown_timeout, and a little
LAST_PATIENCE = 3.0  # seconds: after a second Ctrl-C


def start_consumer() -> subprocess.Popen[bytes]:
    """Start ``run_huey`` as a child that ends when this process does."""
    consumer = subprocess.Popen(
        [sys.executable, sys.argv[0], "run_huey", "--stop-with-parent"],
        stdin=subprocess.PIPE,
        # Ctrl-C goes to a terminal's whole group: the consumer is told once, by its pipe.
        start_new_session=True,
    )
    atexit.register(_stop, consumer)
    return consumer


def _stop(consumer: subprocess.Popen[bytes]) -> None:
    assert consumer.stdin
    consumer.stdin.close()
    try:
        consumer.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        logger.warning("The consumer did not stop within %s s and is killed; its run is taken back", PATIENCE)
        consumer.kill()
    except KeyboardInterrupt:
        _end_at_once(consumer)


def _end_at_once(consumer: subprocess.Popen[bytes]) -> None:
    """After a second Ctrl-C. The consumer stops already, so SIGTERM is its second signal."""
    consumer.terminate()
    try:
        consumer.wait(LAST_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        logger.warning("The consumer is killed; its run is taken back")
        consumer.kill()
