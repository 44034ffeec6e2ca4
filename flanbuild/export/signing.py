"""Signs the statement of provenance with a key file, as a DSSE envelope, and checks the signature. Needs the extra `sign`.

    openssl genpkey -algorithm ed25519 -out key.pem
    openssl pkey -in key.pem -pubout -out key.pub

The statement names every other file with its digest, so one signature covers all of them. Signatures of Ed25519 have no
random part: the same files and key give the same bytes.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from flanbuild.artifacts.files import read_json, write_json
from flanbuild.errors import ArtifactError, DeclarationError, require
from flanbuild.export.provenance import STATEMENT

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ENVELOPE = "provenance.dsse.json"
_PAYLOAD = "application/vnd.in-toto+json"
_MODULES = ("cryptography", "securesystemslib")


def sign(folder: Path, key: Path) -> None:
    """Writes the envelope beside the statement. Raises DeclarationError if `key` is no private Ed25519 key in PEM."""
    require("signing", "sign", _MODULES)
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    envelope = Envelope((folder / STATEMENT).read_bytes(), _PAYLOAD, {})
    envelope.sign(CryptoSigner(_private_key(key)))
    write_json(folder / ENVELOPE, envelope.to_dict())


def signature_faults(folder: Path, key: Path) -> list[str]:
    """What is wrong with the signature, one sentence; empty if the owner of `key` signed the statement in the folder.

    Raises DeclarationError if `key` is no public Ed25519 key in PEM.
    """
    require("checking a signature", "sign", _MODULES)
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError, VerificationError
    from securesystemslib.signer import SSlibKey

    public = SSlibKey.from_crypto(_public_key(key))
    path = folder / ENVELOPE
    if not path.is_file():
        return [f"{path}: missing, so the folder is not signed."]
    try:
        envelope = Envelope.from_dict(read_json(path))
    except (ArtifactError, FormatError, KeyError, TypeError, ValueError, AttributeError):
        return [f"{path}: not a DSSE envelope."]
    try:
        envelope.verify([public], threshold=1)
    except VerificationError:
        return [f"{path}: no signature in it is of the key {key}."]
    statement = folder / STATEMENT
    if not statement.is_file() or envelope.payload != statement.read_bytes():
        return [f"{statement}: not the statement that was signed."]
    return []


def _private_key(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_content(path, "--sign"), password=None)
    except (TypeError, ValueError):  # a password, another format
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise DeclarationError(
            f"--sign {path}: expected a private Ed25519 key in PEM without a password, as "
            "`openssl genpkey -algorithm ed25519` writes it."
        )
    return key


def _public_key(path: Path) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_content(path, "--public-key"))
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise DeclarationError(
            f"--public-key {path}: expected a public Ed25519 key in PEM, as `openssl pkey -pubout` writes it."
        )
    return key


def _content(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeclarationError(f"{option} {path}: {error.strerror or error}.") from None
