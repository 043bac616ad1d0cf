from infra.errors import ConflictError


class VendingOffError(ConflictError):
    """No credentials for this: switched off, not proven safe, or not for this key now. The detail says which."""

    code = "vending-off"
    title = "No credentials are given out"
