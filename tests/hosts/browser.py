"""A browser without JavaScript for a real server: cookies, redirects, forms."""

import re
from dataclasses import dataclass
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, Request, build_opener


@dataclass(frozen=True)
class Page:
    status: int
    url: str
    text: str
    kind: str

    def addresses(self, *names: str) -> list[str]:
        """The values of these attributes, wherever they stand."""
        return re.findall(rf'(?<![\w-])(?:{"|".join(names)})="([^"]+)"', self.text)


class Browser:
    def __init__(self, site: str) -> None:
        self.site, self.cookies = site, CookieJar()
        self.opener = build_opener(HTTPCookieProcessor(self.cookies))

    def get(self, address: str, **headers: str) -> Page:
        return self._ask(Request(urljoin(self.site, address), headers=headers))

    def post(self, address: str, fields: dict | None = None, **headers: str) -> Page:
        """Send a form, as the site's own pages do."""
        body = urlencode({"csrfmiddlewaretoken": self._token(), **(fields or {})}, doseq=True)
        return self._ask(Request(urljoin(self.site, address), body.encode(), headers))

    def post_json(self, address: str, text: str) -> Page:
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._token()}
        return self._ask(Request(urljoin(self.site, address), text.encode(), headers))

    def enter(self, email: str, password: str) -> Page:
        self.get("/enter")
        return self.post("/enter", {"username": email, "password": password})

    def _token(self) -> str:
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == "csrftoken"), "")

    def _ask(self, request: Request) -> Page:
        try:
            answer = self.opener.open(request, timeout=30)
        except HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode(errors="replace")
            return Page(answer.status, answer.url, text, answer.headers.get("Content-Type", ""))
