"""A consumer that starts and stops with the development server.

The consumer's standard input is a pipe that this process holds open and never writes to. The operating
system closes the pipe when this process ends, even after kill -9. Then the consumer stops.
"""

import atexit
import logging
import subprocess
import sys

logger = logging.getLogger(__name__)

PATIENCE = 28.0  # seconds: a little more than the consumer's own shutdown_timeout
LAST_PATIENCE = 3.0  # seconds: after a second Ctrl-C


def start_consumer() -> subprocess.Popen[bytes]:
    """Start ``run_huey`` as a child that ends when this process does."""
    consumer = subprocess.Popen(
        [sys.executable, sys.argv[0], "run_huey", "--stop-with-parent"],
        stdin=subprocess.PIPE,
        # A terminal sends Ctrl-C to the whole process group, but the pipe alone should stop the consumer.
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
        logger.warning("The consumer did not stop in %s s and is killed; its run will be resumed", PATIENCE)
        consumer.kill()
    except KeyboardInterrupt:
        _end_at_once(consumer)


def _end_at_once(consumer: subprocess.Popen[bytes]) -> None:
    """Stop the consumer after a second Ctrl-C. It is stopping already, so SIGTERM is its second signal."""
    consumer.terminate()
    try:
        consumer.wait(LAST_PATIENCE)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        logger.warning("The consumer is killed; its run will be resumed")
        consumer.kill()
