"""Messages over HTTPS with httpx. Knows addresses and bytes; a lost link is one error with one sentence."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
import msgspec

from sync.certificates import EnrolRequest, SignedCertificate
from sync.errors import EnrolmentError, SyncError, UnreachableError, WireError
from sync.protocol import ENROL_PATH, EXCHANGE_PATH, MEDIA_TYPE
from sync.wire import compress, expand

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_HEADERS = {"content-type": MEDIA_TYPE}
_signed = msgspec.msgpack.Decoder(SignedCertificate)


class HttpTransport:
    """A connection to one cloud, kept open between exchanges."""

    def __init__(self, address: str, *, verify: bool | str = True) -> None:
        self._client = httpx.AsyncClient(base_url=safe_address(address), timeout=TIMEOUT, verify=verify, http2=False)
        self._client.headers.clear()

    async def exchange(self, data: bytes) -> bytes:
        """The answer to an exchange; raises UnreachableError, or SyncError with what the cloud said."""
        return await self._post(EXCHANGE_PATH, data)

    async def enrol(self, request: EnrolRequest) -> SignedCertificate:
        """The certificate that answers a request to enrol; raises EnrolmentError where the cloud refuses."""
        try:
            answer = await self._post(ENROL_PATH, compress(request))
        except WireError:
            raise
        except UnreachableError:
            raise
        except SyncError as error:
            raise EnrolmentError(str(error), error.hint) from error
        return expand(answer, _signed)

    async def _post(self, path: str, data: bytes) -> bytes:
        try:
            response = await self._client.post(path, content=data, headers=_HEADERS)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError("The cloud cannot be reached now.") from error
        if response.is_success:
            return response.content
        raise _refusal(response)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def safe_address(address: str) -> str:
    """The address, if what is sent there is encrypted; raises EnrolmentError. Only this very machine may go without."""
    parts = urlsplit(address.strip())
    try:
        here = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        here = False
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        hint = "Write it as https:// and the name of the cloud; without encryption nothing leaves this box."
        raise EnrolmentError("This address of a cloud cannot be used.", hint)
    return address.strip()


def _refusal(response: httpx.Response) -> SyncError:
    if response.is_server_error:
        return UnreachableError("The cloud is there but cannot work now.")
    try:
        problem = msgspec.json.decode(response.content)
        return SyncError(str(problem["title"]), str(problem.get("hint", "")))
    except (msgspec.DecodeError, KeyError, TypeError):
        return SyncError(f"The cloud refused with status {response.status_code}.", "Check the address of the cloud.")
