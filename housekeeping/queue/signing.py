"""The messages of the queue: pickles, signed with the site's key.

What it promises:

- Only what a holder of the key has signed (HMAC-SHA-256) is unpickled.
- Version 1.0 signs with Huey's HMAC-SHA-1. Old and new consumers share a queue during an upgrade and a
  roll-back, so this version reads those messages, too, and adds the old signature to its own. Its own is
  checked first. The version after this one does neither.
"""

import hashlib
import hmac
from typing import Any

from huey.serializer import Serializer

SEPARATOR = b":"


class SignedPickles(Serializer):
    """Writes ``pickle:SHA-256:SHA-1``. For version 1.0, the middle is a part of what the last one signs; its
    pickle ends before that.
    """

    def __init__(self, *, secret: str, salt: str) -> None:
        super().__init__()
        material = salt.encode() + secret.encode()
        self.key, self.old_key = hashlib.sha256(material).digest(), hashlib.sha1(material).digest()  # noqa: S324

    def serialize(self, data: Any) -> bytes:
        body: bytes = super().serialize(data)
        for signature in (self.signature, self.old_signature):
            body += SEPARATOR + signature(body)
        return body

    def deserialize(self, data: bytes) -> Any:
        """Raises ValueError if we have not signed ``data``."""
        return super().deserialize(self.checked(data))

    def checked(self, data: bytes) -> bytes:
        """The pickle in ``data``. Raises ValueError if we have not signed it."""
        body, *signatures = data.rsplit(SEPARATOR, 2)
        if len(signatures) == 2 and hmac.compare_digest(signatures[0], self.signature(body)):
            return body
        body, _, signature = data.rpartition(SEPARATOR)
        if hmac.compare_digest(signature, self.old_signature(body)):
            return body
        raise ValueError("The signature does not match: it was signed with another key, or not at all.")

    def signature(self, body: bytes) -> bytes:
        return hmac.new(self.key, body, hashlib.sha256).hexdigest().encode()

    def old_signature(self, body: bytes) -> bytes:
        return hmac.new(self.old_key, body, hashlib.sha1).hexdigest().encode()
