"""Who may ask: the browser that opened the printed address, from the page itself.

Any page that a browser shows can send requests to 127.0.0.1, and a name of an attacker's can be made to resolve to it
(DNS rebinding). So every request must name the server as its host, come from the same origin or from a person who
opened the address, and carry the cookie that only the address with the token sets. A request that writes must name its
origin.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Middleware

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TOKEN = "token"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.cookie = f"videozoomer_{port}"
        """Browsers share cookies between ports; the name keeps two servers apart."""
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    def refusal(self, request: web.Request) -> str | None:
        """Why a request is refused, in one sentence; None if it may pass."""
        host = request.headers.get("Host", "")
        if host.lower() not in self._hosts:
            return "the address names another host; open the address that `videozoomer view` printed"
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return "the request comes from another page"
        if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return "the request comes from another page"
        if request.method not in ("GET", "HEAD"):
            if origin is None:
                return "the request does not say which page it comes from"
            if request.content_type != "application/json":
                return "the request is not JSON"
        if not self._known(request.cookies.get(self.cookie, "")) and not self._opened(request):
            return "this browser has no key; open the address that `videozoomer view` printed"
        return None

    def _known(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _opened(self, request: web.Request) -> bool:
        return request.method == "GET" and request.path == "/" and self._known(request.query.get(TOKEN, ""))

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            response: web.StreamResponse
            if why := self.refusal(request):
                response = web.Response(status=403, text=f"refused: {why}\n")
            elif self._opened(request):
                # The token leaves the address, so it is in no history and no screenshot.
                others = [(name, value) for name, value in request.query.items() if name != TOKEN]
                response = web.Response(
                    status=303, headers={"Location": "/" + ("?" + urlencode(others) if others else "")}
                )
                response.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict", path="/")
            else:
                try:
                    response = await handler(request)
                except web.HTTPException as error:
                    response = web.Response(status=error.status, text=f"{error.text}\n")
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return guarded
