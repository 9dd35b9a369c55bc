"""The two addresses that boxes ask: enrolling, and exchanging. Bodies are compressed messages of sync.protocol."""

from typing import Any

import msgspec
from litestar import Request, Response, post
from litestar.di import NamedDependency

from cloud.ingest.enrolment import enrol as enrol_box
from cloud.ingest.exchange import exchange as exchange_messages
from cloud.store.centre import Centre
from sync.certificates import EnrolRequest
from sync.protocol import ENROL_PATH, EXCHANGE_PATH, MEDIA_TYPE
from sync.wire import compress, expand

MAX_SOFTWARE = 60
_requests = msgspec.msgpack.Decoder(EnrolRequest)


@post(EXCHANGE_PATH, status_code=200, include_in_schema=False)
async def exchange(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Response[bytes]:
    """Push and pull in one."""
    software = request.headers.get("user-agent", "")[:MAX_SOFTWARE].replace("\0", "") or None
    return Response(await exchange_messages(centre, await request.body(), software), media_type=MEDIA_TYPE)


@post(ENROL_PATH, status_code=200, include_in_schema=False)
async def enrol(request: Request[Any, Any, Any], centre: NamedDependency[Centre]) -> Response[bytes]:
    """A certificate for a one-time code."""
    asked: EnrolRequest = expand(await request.body(), _requests)
    return Response(compress(await enrol_box(centre, asked)), media_type=MEDIA_TYPE)
