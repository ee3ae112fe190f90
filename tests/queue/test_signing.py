"""The signatures of messages: ours, those of version 1.0, and those of nobody."""

import hashlib
import hmac
import pickle

import pytest
from django.conf import settings
from huey.contrib.djhuey import HUEY
from huey.serializer import SignedSerializer

from housekeeping.models import Run
from housekeeping.queue import tasks as queue
from housekeeping.queue.signing import SignedPickles
from tests import make

SALT = "housekeeping.queue"
OURS = SignedPickles(secret=settings.SECRET_KEY, salt=SALT)
OLD = SignedSerializer(secret=settings.SECRET_KEY, salt=SALT)  # as version 1.0 makes it


class Trap:
    """What runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("It was unpickled.",))


def test_what_we_sign_is_signed_with_sha_256():
    body, signature, _ = OURS.serialize("Hello").rsplit(b":", 2)

    key = hashlib.sha256(SALT.encode() + settings.SECRET_KEY.encode()).digest()
    assert signature.decode() == hmac.new(key, body, hashlib.sha256).hexdigest()
    assert pickle.loads(body) == "Hello"


@pytest.mark.parametrize("value", ["a:b:c", b":" * 9, {"a": [None, 1.5]}, "x" * 100_000])
def test_each_version_reads_what_the_other_writes(value):
    assert OURS.deserialize(OURS.serialize(value)) == value
    assert OURS.deserialize(OLD.serialize(value)) == value
    assert OLD.deserialize(OURS.serialize(value)) == value


def test_the_old_signature_is_not_asked_about_what_has_ours():
    signed, _, _ = OURS.serialize("Hello").rpartition(b":")

    assert OURS.deserialize(signed + b":anything") == "Hello"


def other(salt=SALT, secret=settings.SECRET_KEY):
    return SignedPickles(secret=secret, salt=salt)


@pytest.mark.parametrize(
    "forged",
    [
        pickle.dumps(Trap()),
        pickle.dumps(Trap()) + b":" + b"0" * 40,
        pickle.dumps(Trap()) + b":" + b"0" * 64 + b":" + b"0" * 40,
        other(secret="another").serialize(Trap()),
        other(salt="another").serialize(Trap()),
        SignedSerializer(secret="another", salt=SALT).serialize(Trap()),
        # The signatures of another message.
        pickle.dumps(Trap()) + b":" + b":".join(OURS.serialize("Hello").rsplit(b":", 2)[1:]),
        b"",
        b"::",
    ],
)
def test_what_another_key_or_nobody_has_signed_is_not_unpickled(forged):
    with pytest.raises(ValueError, match="signature"):
        OURS.deserialize(forged)


@pytest.mark.django_db(transaction=True)
def test_a_message_of_version_1_0_is_read():
    run = make.run("stats")
    queue.send(run)
    message = HUEY.serializer.deserialize(HUEY.storage.dequeue())

    HUEY.storage.enqueue(OLD.serialize(message))
    task = HUEY.dequeue()

    assert task.id == str(run.pk)
    HUEY.execute(task)
    assert Run.objects.get(pk=run.pk).status == "succeeded"
