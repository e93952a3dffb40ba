"""What the cryptography of a sign-in costs by itself, to hold the whole sign-in against."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from idp.settings import PasswordSettings

PASSWORD = "one house in Riverton"


def _hasher() -> PasswordHasher:
    cost = PasswordSettings()
    return PasswordHasher(time_cost=cost.iterations, memory_cost=cost.memory_kib, parallelism=cost.lanes)


def _verification_ms(hasher: PasswordHasher, stored: str) -> float:
    start = time.thread_time()
    hasher.verify(stored, PASSWORD)
    return (time.thread_time() - start) * 1000


def argon2_ms(times: int = 5) -> list[float]:
    """CPU milliseconds of verifications with the default settings, one after another."""
    hasher = _hasher()
    stored = hasher.hash(PASSWORD)
    return [_verification_ms(hasher, stored) for _ in range(times)]


def argon2_crowded_ms(times: int = 5) -> list[float]:
    """The same on every core at once: cores share the memory's bandwidth, and a sign-in storm uses them all."""
    hasher = _hasher()
    stored = hasher.hash(PASSWORD)
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(lambda _: _verification_ms(hasher, stored), range(times * cores)))


def signature_ms(times: int = 5, each: int = 100) -> list[float]:
    """CPU milliseconds of checking one ES256 signature, as a passkey makes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = PASSWORD.encode() * 8
    signature, public = key.sign(signed, ec.ECDSA(SHA256())), key.public_key()
    found = []
    for _ in range(times):
        start = time.thread_time()
        for _ in range(each):
            public.verify(signature, signed, ec.ECDSA(SHA256()))
        found.append((time.thread_time() - start) * 1000 / each)
    return found
