from typing import Any

from requests import Session

class OAuth2Session(Session):
    token_endpoint_auth_method: str
    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        scope: str,
        redirect_uri: str,
        code_challenge_method: str,
        default_timeout: float,
    ) -> None: ...
    def create_authorization_url(self, url: str, **kwargs: str) -> tuple[str, str]: ...
    def fetch_token(self, url: str, **kwargs: str) -> dict[str, Any]: ...
    def get(self, url: str, *, withhold_token: bool) -> Any: ...  # type: ignore[override]
