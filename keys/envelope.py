"""Envelope encryption: the key file, the service key it wraps, and the data keys that wraps in turn.

    key file (key-encryption key)  wraps  service key (one row)  wraps  data keys (one per resident)

A sealed value is `version (1 byte) || random nonce (12) || AES-256-GCM ciphertext and tag` (NIST SP 800-38D), with
version and context authenticated. Destroying a resident's data key makes what it sealed unreadable: erasure.
"""

import base64
import hashlib
import hmac
import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Executable, text

KEY_BYTES = 32
_VERSION = b"\x01"

_FILE_FORMAT = "denizen-key-v1"
_FILE_COMMENT = (
    "# The key that protects this Denizen service's data. Without it the database cannot be read by anyone. "
    "Back it up, and keep that backup apart from the backups of the database.\n"
)
_CREATE_COMMAND = "denizen init"
_CHECK_COMMAND = "denizen keys list"

_MASTER = "master"
# Tables are named, not imported, because models stand above this module. One statement decides, so no service
# key is ever made beside existing signing keys; it reads the same in SQLite and PostgreSQL.
_READ_SERVICE_KEY = text("SELECT key_id, wrapped FROM keys_service_key WHERE name = :name")
_ADD_SERVICE_KEY = text(
    "INSERT INTO keys_service_key (name, key_id, wrapped, created_at) "
    "SELECT :name, :key_id, :wrapped, :created_at WHERE NOT EXISTS (SELECT 1 FROM keys_signing_key) "
    "ON CONFLICT (name) DO NOTHING"
)


class Connection(Protocol):
    """What this package needs of a database: a Session, a Connection, or anything that executes alike."""

    def execute(self, statement: Executable, parameters: Any = None, /) -> Any:
        """Run one statement inside the caller's transaction; this package never commits."""


class SealBroken(Exception):
    """A sealed value does not open: it was changed, or it belongs to another key or another place."""


class KeyFileError(Exception):
    """The service must not start; the message is one line for the operator, with the next command to run."""


class KeyFileExists(KeyFileError):
    """A key file is already there; it is never overwritten."""


class KeyFileMissing(KeyFileError):
    """There is no key file at the configured path."""


class KeyFileUnreadable(KeyFileError):
    """The key file cannot be read, is damaged, or may be read by other accounts."""


class KeyFileForeign(KeyFileError):
    """The key file belongs to another database, or the database has lost the service key it protects."""


class SealedBytes(bytes):
    """The result of a seal. Encrypted columns accept nothing else, so plaintext cannot land in one."""


class IndexBytes(bytes):
    """The result of `Vault.blind_index`, 32 bytes. Blind index columns accept nothing else."""


def _seal(cipher: AESGCM, plain: bytes, context: str) -> SealedBytes:
    nonce = secrets.token_bytes(12)
    return SealedBytes(_VERSION + nonce + cipher.encrypt(nonce, plain, _VERSION + context.encode()))


def _open(cipher: AESGCM, sealed: bytes, context: str) -> bytes:
    if sealed[:1] != _VERSION:
        raise SealBroken("not a sealed value of a known version")
    try:
        return cipher.decrypt(sealed[1:13], sealed[13:], _VERSION + context.encode())
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
        raise SealBroken("changed, or sealed with another key or for another context") from None


def _derive(secret: bytes, label: str) -> bytes:
    """A 32-byte key from a 32-byte key (HKDF-SHA256, RFC 5869); the label keeps uses apart."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"denizen v1 {label}".encode()).derive(
        secret
    )


class KeyEncryptionKey:
    """The key of the key file. It wraps the service key and nothing else; an HSM can stand in its place."""

    __slots__ = ("_cipher", "key_id", "source")

    def __init__(self, secret: bytes, *, source: str) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(secret)
        self.key_id = _key_id(secret)
        self.source = source

    def __repr__(self) -> str:
        return f"<KeyEncryptionKey {self.key_id}>"

    def wrap(self, secret: bytes, purpose: str) -> bytes:
        """Wrap a key for one purpose."""
        return bytes(_seal(self._cipher, secret, f"wrap {purpose}"))

    def unwrap(self, wrapped: bytes, purpose: str) -> bytes:
        """Unwrap a key; SealBroken if it was wrapped by another key or for another purpose."""
        return _open(self._cipher, wrapped, f"wrap {purpose}")


class DataKey:
    """A key that seals texts: one per resident, or one of the service's own."""

    __slots__ = ("_cipher", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._cipher = AESGCM(secret)

    def __repr__(self) -> str:
        return "<DataKey>"

    def seal(self, text: str, context: str) -> SealedBytes:
        """Seal a text for one place. `context` names table, column and row; it is authenticated, not stored."""
        return _seal(self._cipher, text.encode(), context)

    def open(self, sealed: bytes, context: str) -> str:
        """The text sealed for this context; SealBroken if anything is different."""
        return _open(self._cipher, sealed, context).decode()

    def log_key(self) -> bytes:
        """32 bytes for the commitments of the log about this key's owner; gone when the data key is gone."""
        return _derive(self._secret, "log key")


class Vault:
    """The opened service key: hands out data keys and derived keys, never itself."""

    __slots__ = ("__weakref__", "_master", "_service_keys", "_subkeys", "_wrapper")

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._wrapper = AESGCM(_derive(master, "data key wrapping"))
        self._subkeys: dict[str, bytes] = {}
        self._service_keys: dict[str, DataKey] = {}

    def __repr__(self) -> str:
        return "<Vault>"

    def new_data_key(self) -> tuple[DataKey, bytes]:
        """A fresh data key, and its wrapped form to be stored (61 bytes)."""
        secret = secrets.token_bytes(KEY_BYTES)
        return DataKey(secret), bytes(_seal(self._wrapper, secret, "data key"))

    def open_data_key(self, wrapped: bytes) -> DataKey:
        """The data key of a stored wrapped form; SealBroken if it is not this service's."""
        return DataKey(_open(self._wrapper, wrapped, "data key"))

    def subkey(self, name: str) -> bytes:
        """32 bytes for one purpose, such as "csrf" or "password-pepper"; always the same for the same name."""
        if name not in self._subkeys:
            self._subkeys[name] = _derive(self._master, f"subkey {name}")
        return self._subkeys[name]

    def service_data_key(self, name: str) -> DataKey:
        """A data key of the service itself, for sealing what belongs to no resident, such as "outbox"."""
        if name not in self._service_keys:
            self._service_keys[name] = DataKey(_derive(self._master, f"service data key {name}"))
        return self._service_keys[name]

    def blind_index(self, field: str, normalized: str) -> IndexBytes:
        """HMAC-SHA256 of a value, to find it by equality without storing it; differs from field to field."""
        name = field.encode()
        message = len(name).to_bytes(2) + name + normalized.encode()
        return IndexBytes(hmac.digest(self.subkey("blind-index"), message, "sha256"))


def create_key_file(path: Path) -> KeyEncryptionKey:
    """Write a new key file that only this account can read. Never overwrites: KeyFileExists."""
    secret = secrets.token_bytes(KEY_BYTES)
    encoded = base64.urlsafe_b64encode(secret).rstrip(b"=").decode()
    try:
        _write_once(path, f"{_FILE_COMMENT}{_FILE_FORMAT} {_key_id(secret)} {encoded}\n")
    except FileExistsError:
        raise KeyFileExists(
            f"{path} exists already and was left alone. To check it, run: {_CHECK_COMMAND}"
        ) from None
    except OSError as problem:
        raise KeyFileUnreadable(
            f"The key file {path} cannot be written ({problem.strerror}). "
            f"Look at its folder with: ls -ld {shlex.quote(str(path.parent))}"
        ) from None
    return KeyEncryptionKey(secret, source=str(path))


def load_key_file(path: Path) -> KeyEncryptionKey:
    """The key of a key file; KeyFileMissing or KeyFileUnreadable say what is wrong and what to run next."""
    lines = [line for line in _read_private(path).splitlines() if line.strip() and not line.startswith("#")]
    fields = lines[0].split() if len(lines) == 1 else []
    if len(fields) != 3 or fields[0] != _FILE_FORMAT:  # noqa: PLR2004 - format, key id, key
        raise _damaged(path, "it does not hold one line of format, key id and key")
    try:
        secret = base64.b64decode(f"{fields[2]}=", altchars=b"-_", validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise _damaged(path, f"the key is not the base64url text of {KEY_BYTES} bytes")
    if not hmac.compare_digest(_key_id(secret).encode(), fields[1].encode()):
        raise _damaged(path, "key and key id do not belong together")
    return KeyEncryptionKey(secret, source=str(path))


def open_vault(connection: Connection, kek: KeyEncryptionKey, *, now: int) -> Vault:
    """Open the service key of this database, making it on the very first start.

    Safe for several processes at once: the first one to insert wins and the others read its row. Raises
    KeyFileForeign when the database was set up with another key file, or when it has signing keys but no
    service key; neither is ever healed by making new keys.
    """
    row = connection.execute(_READ_SERVICE_KEY, {"name": _MASTER}).first()
    if row is None:
        wrapped = kek.wrap(secrets.token_bytes(KEY_BYTES), _MASTER)
        fresh = {"name": _MASTER, "key_id": kek.key_id, "wrapped": wrapped, "created_at": now}
        connection.execute(_ADD_SERVICE_KEY, fresh)
        row = connection.execute(_READ_SERVICE_KEY, {"name": _MASTER}).first()
    if row is None:
        problem = "The database has signing keys but has lost its service key, which opens its data."
        raise KeyFileForeign(f"{problem} Restore it from its backup, then run: {_CHECK_COMMAND}")
    key_id, wrapped = row
    try:
        return Vault(kek.unwrap(wrapped, _MASTER))
    except SealBroken:
        raise KeyFileForeign(
            f"The key file {kek.source} (key id {kek.key_id}) does not open this database, which was set up with "
            f"key id {key_id}. Restore the one that is wrong from its backup, then run: {_CHECK_COMMAND}"
        ) from None


def _key_id(secret: bytes) -> str:
    """A public fingerprint of a key-encryption key; a key file with a slip in it does not match its own id."""
    return hashlib.sha256(b"denizen key id\0" + secret).hexdigest()[:16]


def _write_once(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    # The name must survive a power cut too: a lost key file is a lost database.
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _read_private(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(4096)
    except FileNotFoundError:
        raise KeyFileMissing(
            f"There is no key file at {path}. Restore it from its backup; only for a new installation, "
            f"run: {_CREATE_COMMAND}"
        ) from None
    except OSError as problem:
        raise KeyFileUnreadable(
            f"The key file {path} cannot be read ({problem.strerror}). Look at it with: ls -l {shlex.quote(str(path))}"
        ) from None
    if mode & 0o077:
        raise KeyFileUnreadable(
            f"The key file {path} can be opened by other accounts (mode {stat.S_IMODE(mode):04o}). "
            f"Run: chmod 600 {shlex.quote(str(path))}"
        )
    return content.decode("ascii", errors="replace")


def _damaged(path: Path, what: str) -> KeyFileUnreadable:
    advice = f"Restore it from its backup, then run: {_CHECK_COMMAND}"
    return KeyFileUnreadable(f"The key file {path} is damaged: {what}. {advice}")
