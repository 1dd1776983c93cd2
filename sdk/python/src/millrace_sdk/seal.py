"""Secrets of commands, sealed before they are sent. It needs the extra `seal` (PyNaCl)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from nacl.public import Box, PrivateKey, PublicKey

_LABEL = b"millrace sealed field 1\0"
_LEAST, _MOST = 16, 4048


@dataclass(frozen=True)
class Sealed:
    """A secret that is sealed."""

    box: bytes
    """For the field that says so."""
    fingerprint: str
    """By what the secret is told from others, for the field beside it."""


def seal(public_key: bytes, command_id: str, secret: str | bytes) -> Sealed:
    """Seals a secret of the command of this id for a public key of the deployment: libsodium's sealed box.

    The same comes of the same, so a command that is sent again is the same command.
    """
    value = secret.encode() if isinstance(secret, str) else secret
    if not _LEAST <= len(value) <= _MOST:
        raise ValueError(f"a secret has {_LEAST} to {_MOST} bytes, not {len(value)}: a short one could be guessed")
    # no random number: HMAC, keyed with the secret
    ephemeral = PrivateKey(hmac.digest(value, _LABEL + command_id.encode() + public_key + bytes(4), "sha256"))
    own = bytes(ephemeral.public_key)
    nonce = hashlib.blake2b(own + public_key, digest_size=24).digest()
    box = Box(ephemeral, PublicKey(public_key)).encrypt(value, nonce).ciphertext
    fingerprint = base64.urlsafe_b64encode(hmac.digest(public_key, value, "sha256")).decode().rstrip("=")
    return Sealed(own + box, fingerprint)
