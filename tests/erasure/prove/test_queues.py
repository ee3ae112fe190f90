"""A person is erased where the queue, which holds results, lives on Redis or on PostgreSQL."""

import psycopg
import pytest
import redis
from psycopg import sql

from chat.models import User
from housekeeping.models import Erasure
from tests.erasure.people import MAIL, NAME, TRACES
from tests.processes import Processes
from tests.services import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

# A person, with traces in the results of runs and of the site's own tasks. And another person's result.
LEAVE = """
from tests.erasure.people import grace, leave_traces, talk
user = grace()
talk(user)  # the words that are looked for elsewhere
leave_traces(user)
"""
REQUEST = f"""
from housekeeping.erasure import people, requests
from housekeeping.queue import tasks as queue
from housekeeping.runs import control
requests.store(people.find("{NAME}"))
control.request("erasures", send=queue.send)
"""
LOOK = "from tests.erasure import traces; from tests.erasure.people import TRACES; print(traces.of(*TRACES))"


@pytest.fixture(params=["redis", "postgres"])
def queue(request):
    """The URL of the queue's storage, which is empty, and a function that reads all that it holds."""
    url = request.getfixturevalue(f"{request.param}_url")
    if request.param == "redis":
        server = redis.Redis.from_url(url)
        server.flushall()
        return url, lambda: b"".join(_of_redis(server))
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS queue WITH (FORCE)")
        server.execute("CREATE DATABASE queue")
    url = url.removesuffix("postgres") + "queue"
    return url, lambda: b"".join(_of_postgres(url))


def _of_redis(server):
    reads = {
        b"string": server.get,
        b"list": lambda key: b"".join(server.lrange(key, 0, -1)),
        b"hash": lambda key: b"".join(part for pair in server.hgetall(key).items() for part in pair),
        b"zset": lambda key: b"".join(server.zrange(key, 0, -1)),
        b"set": lambda key: b"".join(server.smembers(key)),
    }
    for key in server.scan_iter():
        yield key
        yield reads[server.type(key)](key)


def _of_postgres(url):
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with psycopg.connect(url) as connection:
        for (table,) in connection.execute(tables).fetchall():
            for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))):
                for value in row:
                    yield bytes(value) if isinstance(value, bytes) else str(value).encode()


def left_in(content):
    return [text for text in TRACES if text.encode() in content]


@pytest.fixture
def processes(queue, tmp_path):
    running = Processes(tmp_path, HUEY_URL=queue[0])
    yield running
    running.end()


def test_a_command_leaves_no_result_that_tells_of_the_person(queue, processes):
    processes.shell(LEAVE)
    assert left_in(queue[1]())

    processes.command("housekeeping_erase", NAME, "--confirm", NAME)

    assert left_in(queue[1]()) == []
    assert b"bob@example.com" in queue[1]()
    assert processes.shell(LOOK).strip().endswith("[]")
    assert not User.objects.filter(email=MAIL).exists()


def test_nor_does_a_consumer(queue, processes):
    processes.shell(LEAVE)
    processes.consumer()

    processes.shell(REQUEST)

    wait_until(lambda: not Erasure.objects.filter(finished_at=None).exists(), what="the erasure")
    assert Erasure.objects.get().state == "finished"
    assert left_in(queue[1]()) == []
    assert b"bob@example.com" in queue[1]()
