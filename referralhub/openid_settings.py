"""The settings of the provider that admins may sign in with (OpenID Connect), and what can be wrong with them."""

import re
from collections.abc import Iterator, Mapping

NAMES = ("OIDC_DISCOVERY_URL", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_DOMAIN")
WELL_KNOWN = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, 4
ADDRESS = rf"https://[^/?#@\s]+(?:/[^?#\s]*)?{re.escape(WELL_KNOWN)}"
DOMAIN = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]"
REMEDIES = {
    "OIDC_DISCOVERY_URL": f"take the provider's address that ends in {WELL_KNOWN}",
    "OIDC_CLIENT_ID": "take the one that the provider gave to this application",
    "OIDC_CLIENT_SECRET": "take the one that the provider gave to this application",
    "OIDC_DOMAIN": "name the domain of your admins' addresses, such as example.com",
}


def problems(values: Mapping[str, str], development: bool) -> Iterator[tuple[str, str, str]]:
    """Yield each setting that is missing beside the others or makes no sense: its name, what is wrong, a remedy."""
    if not any(values.values()):
        return
    for name in NAMES:
        if not values[name]:
            yield name, "is missing, and others of the provider are set", REMEDIES[name]
    address = ADDRESS.replace("https", "https?") if development else ADDRESS
    for name, shape in (("OIDC_DISCOVERY_URL", address), ("OIDC_DOMAIN", DOMAIN)):
        if values[name] and not re.fullmatch(shape, values[name], re.IGNORECASE):
            yield name, "cannot be used", REMEDIES[name]
