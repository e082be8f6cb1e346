"""Whom to believe over TLS: the system's authorities, a CA file, or one pinned certificate."""

from __future__ import annotations

import hashlib
import ssl

from loaders.collect.remote import Remote


class Trust:
    """The TLS settings of a collector."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        scheme, _, value = remote.collector.tls_trust.partition(":")
        self._pin = value.replace(":", "").lower() if scheme == "sha256" else None
        try:
            self.context = ssl.create_default_context(cafile=value if scheme == "file" else None)
        except (OSError, ssl.SSLError) as error:
            raise remote.error(
                f"the CA file {value} cannot be used: {getattr(error, 'strerror', None) or error}"
            ) from None
        if self._pin is not None:
            # The pin below takes the place of names and authorities.
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    def check(self, connected: object) -> None:
        """Compare a pinned certificate; to be called before anything secret is said."""
        if self._pin is None:
            return
        certificate = (
            connected.getpeercert(binary_form=True)
            if isinstance(connected, ssl.SSLSocket)
            else None
        )
        shown = hashlib.sha256(certificate).hexdigest() if certificate else "none at all"
        if shown != self._pin:
            raise self._remote.error(
                f"the server's certificate is not the pinned one: it shows sha256:{shown}. Ask "
                "the supplier before you change tls_trust"
            )
