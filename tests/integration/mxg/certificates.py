# SPDX-License-Identifier: MIT
"""Certificates for TLS clients and servers, made by openssl(1)."""
from __future__ import annotations

import hashlib
import pathlib
import ssl

from .process import run

Pair = tuple[pathlib.Path, pathlib.Path]


class Authority:
    """Issues certificates in FOLDER; `path` is its own."""

    def __init__(self, folder: pathlib.Path, name: str = "Test authority") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        self.path, self._key = self.by_itself("authority", f"/CN={name}")

    def _new_key(self, name: str) -> pathlib.Path:
        path = self.folder / f"{name}.key"
        run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-out", str(path)], check=True)
        path.chmod(0o644)  # Exim's own user reads it
        return path

    def by_itself(self, name: str, subject: str) -> Pair:
        """A certificate that nobody but itself vouches for, with any subject in openssl's form."""
        key, path = self._new_key(name), self.folder / f"{name}.pem"
        run(["openssl", "req", "-x509", "-new", "-utf8", "-key", str(key), "-subj", subject,
             "-days", "30", "-out", str(path)], check=True)
        return path, key

    def issue(self, name: str, subject: str) -> Pair:
        key, path = self._new_key(name), self.folder / f"{name}.pem"
        asked = self.folder / f"{name}.csr"
        run(["openssl", "req", "-new", "-utf8", "-key", str(key), "-subj", subject, "-out", str(asked)], check=True)
        run(["openssl", "x509", "-req", "-in", str(asked), "-CA", str(self.path), "-CAkey", str(self._key),
             "-CAcreateserial", "-days", "30", "-out", str(path)], check=True)
        return path, key


def fingerprint(certificate: Pair) -> str:
    """SHA-256, as openssl x509 -fingerprint writes it."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate[0].read_text())).hexdigest().upper()
    return ":".join(digest[at:at + 2] for at in range(0, 64, 2))


def key_fingerprint(certificate: Pair) -> str:
    """SHA-256 of the public key, as mxguard.conf(5) says how to make it."""
    public = run(["openssl", "pkey", "-in", str(certificate[1]), "-pubout", "-outform", "DER"], check=True).stdout
    return hashlib.sha256(public).hexdigest()
