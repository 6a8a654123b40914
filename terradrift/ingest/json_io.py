"""Reads the JSON of catalogues from paths and URLs."""

import requests
from pystac.stac_io import DefaultStacIO
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

_SECONDS = 60
_RETRY = Retry(total=3, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504))


class JsonIO(DefaultStacIO):
    """As pystac reads, but over one kept connection, with a limit, and `OSError` for what fails.

    (pystac itself raises a bare `Exception` for a URL that does not answer.)
    """

    def __init__(self) -> None:
        super().__init__()
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_RETRY))

    def read_text_from_href(self, href: str) -> str:
        """The text at a path or URL.

        Raises:
            OSError: it cannot be read (`requests.RequestException` is one).
        """
        if not href.startswith(("http://", "https://")):
            return super().read_text_from_href(href)
        answer = self._session.get(href, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.content.decode()
