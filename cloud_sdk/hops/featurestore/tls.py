"""How the gateway's certificate is checked."""

from __future__ import annotations

import os
import ssl
import warnings
from typing import Optional

from hops.featurestore.errors import InvalidInputError

ALLOW_UNVERIFIED = "OAST_ALLOW_UNVERIFIED_TLS"


class UnverifiedTlsWarning(UserWarning):
    """The gateway's certificate is not (fully) checked, or was asked not to be."""


def tls_context(*, hostname_verification: bool = True, trust_store_path: Optional[str] = None) -> ssl.SSLContext:
    """TLS 1.2 or later, checked against the system's authorities or those in the PEM file `trust_store_path`.

    `hostname_verification=False` counts only together with the environment variable OAST_ALLOW_UNVERIFIED_TLS=1,
    so that a copied notebook cell alone never opens the door. Then, with a trust store, the chain is still checked.
    """
    context = _trusting(trust_store_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if hostname_verification:
        return context
    if os.environ.get(ALLOW_UNVERIFIED) != "1":
        warnings.warn(
            f"hostname_verification=False is ignored: the certificate is still checked. "
            f"If you must, also set the environment variable {ALLOW_UNVERIFIED}=1; better give trust_store_path.",
            UnverifiedTlsWarning,
            stacklevel=4,
        )
        return context
    warnings.warn(
        "The gateway's host name is not verified: whoever sits in between can read the API key.",
        UnverifiedTlsWarning,
        stacklevel=4,
    )
    context.check_hostname = False
    if trust_store_path is None:
        context.verify_mode = ssl.CERT_NONE
    return context


def store_context(gateway: Optional[ssl.SSLContext]) -> ssl.SSLContext:
    """For an object store that the gateway names: the system's authorities and those of the gateway's own context.

    Always checked, whatever was said about the gateway: nobody was asked about this host.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    own = b"".join(gateway.get_ca_certs(binary_form=True)) if gateway is not None else b""
    if own:
        context.load_verify_locations(cadata=own)
    return context


def _trusting(trust_store_path: Optional[str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=trust_store_path)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"trust_store_path {trust_store_path!r} cannot be used: {error}.",
            hint="It must be a readable PEM file with the certificate authority of the gateway.",
        ) from error
