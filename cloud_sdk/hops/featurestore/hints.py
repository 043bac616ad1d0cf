"""What to do about a gateway that does not answer, by what the network said."""

from __future__ import annotations

_OF_CERTIFICATES = (
    ("certificate has expired", "The gateway's certificate has expired: its operator has to renew it."),
    ("certificate is not yet valid", "The certificate is not valid yet: is the clock of this machine right?"),
    ("hostname mismatch", "The certificate is for another name: connect by the name that it was issued for."),
    ("ip address mismatch", "The certificate is for another name: connect by the name that it was issued for."),
    ("doesn't match", "The certificate is for another name: connect by the name that it was issued for."),
)
_OF_NETWORKS = (
    (("wrong_version_number", "record layer failure"), "That port does not speak TLS; check host and port."),
    (
        (
            "name or service not known",
            "nodename nor servname",
            "temporary failure in name resolution",
            "no address associated",
        ),
        (
            "This network knows no such name. Check it for typing errors; a name in a private zone of Route 53 resolves only in "
            "VPCs which that zone is associated with, and over peering only with DNS resolution switched on."
        ),
    ),
    (
        ("timed out", "timeout"),
        (
            "Nothing came back, so something drops it: the gateway's security group has to let this VPC or security group in at "
            "that port, and a peering or transit gateway needs routes both ways."
        ),
    ),
    (
        ("refused",),
        "The machine answers, but nothing listens at that port; check host and port, and that the gateway runs.",
    ),
    (("unreachable", "no route"), "There is no route there from this network; check the VPC's peering and its routes."),
)
_ANY = "Check host and port, and whether this network (VPC, security group) reaches the gateway."


def connection_hint(message: str) -> str:
    """`message` is urllib3's, with that of ssl or the socket in it."""
    said = message.lower()
    if "certificate_verify_failed" in said or "sslcertverificationerror" in said or "certificateerror" in said:
        known = next((hint for words, hint in _OF_CERTIFICATES if words in said), None)
        return (
            known or "The certificate was refused. Give trust_store_path the PEM file of the authority that issued it."
        )
    return next((hint for words, hint in _OF_NETWORKS if any(word in said for word in words)), _ANY)
