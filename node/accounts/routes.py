"""Signing in and out, on pages and for programs; who works here; the language of the pages."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg, FromPath, FromQuery, JSONBody
from litestar.response import Redirect

from node.accounts.records import User
from node.accounts.service import Accounts, SignedIn, valid_user
from node.errors import CredentialsError
from node.http.asker import actor_of, asker, request_id_of
from node.http.edge import cookie_name, session_token
from node.http.pages import LANGUAGES, FieldError
from node.http.record_routes import PREFIX
from node.http.show import LANGUAGE_COOKIE, language_of, show
from node.security.access import Actor, Role
from node.store.clinic import Clinic

YEAR = 365 * 24 * 3600
Form = Annotated[dict[str, str], BodyKwarg(media_type=RequestEncodingType.URL_ENCODED)]


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sign-in name and a password."""

    username: str
    password: str


class Session(msgspec.Struct, frozen=True):
    """A session for a program: send the token as ``Authorization: Bearer``."""

    token: str
    user_id: str
    name: str
    role: str


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new member of staff, with a first password of at least ten characters."""

    name: str
    username: str
    role: Role
    password: str
    registration_number: str | None = None


@post(f"{PREFIX}/sessions", status_code=201, tags=["session"], summary="Sign in")
async def open_session(
    request: Request[Any, Any, Any], data: JSONBody[SignIn], clinic: NamedDependency[Clinic]
) -> Session:
    """A session; refused with 401 for a wrong name or password."""
    signed = await _sign_in(clinic, request, data.username, data.password)
    return Session(signed.token, signed.actor.id or "", signed.actor.name, signed.actor.role or "")


@post(f"{PREFIX}/sessions/end", status_code=204, tags=["session"], summary="Sign out")
async def end_session(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> None:
    """End the session of this request."""
    await _end(clinic, request, actor_of(request))


@post(f"{PREFIX}/staff", status_code=201, tags=["user"], summary="Give somebody an account")
async def add_user(request: Request[Any, Any, Any], data: JSONBody[NewUser], clinic: NamedDependency[Clinic]) -> User:
    """The new member of staff."""
    user = valid_user(data.name, data.username, data.role, data.registration_number)
    return await accounts_of(clinic).add(actor_of(request), user, data.password)


@get("/login", include_in_schema=False)
async def login_page(
    request: Request[Any, Any, Any], clinic: NamedDependency[Clinic], after: FromQuery[str] = "/"
) -> Response[str]:
    """The page to sign in."""
    return show(clinic, request, "accounts/login.html", name="", after=_inside(after), errors=())


@post("/login", include_in_schema=False, status_code=200)
async def login(request: Request[Any, Any, Any], data: Form, clinic: NamedDependency[Clinic]) -> Response[Any]:
    """Sign in and go on to where the person wanted to be, or say what was wrong."""
    name, after = data.get("name", ""), _inside(data.get("after", "/"))
    try:
        signed = await _sign_in(clinic, request, name, data.get("password", ""))
    except CredentialsError as error:
        language = language_of(request)
        text = f"{clinic.pages.text(str(error), language)} {clinic.pages.text(error.hint, language)}"
        errors = (FieldError(text=text, field="password"),)
        return show(clinic, request, "accounts/login.html", status=422, name=name, after=after, errors=errors)
    response = Redirect(after, status_code=303)
    secure = clinic.settings.secure_cookies
    response.set_cookie(_cookie(request), signed.token, path="/", httponly=True, samesite="strict", secure=secure)
    return response


@post("/logout", include_in_schema=False, status_code=303)
async def logout(request: Request[Any, Any, Any], clinic: NamedDependency[Clinic]) -> Redirect:
    """Sign out and show the page to sign in."""
    if (actor := asker(request)) is not None:
        await _end(clinic, request, actor)
    response = Redirect("/login", status_code=303)
    response.delete_cookie(_cookie(request), path="/")
    return response


@get("/language/{code:str}", include_in_schema=False)
async def choose_language(request: Request[Any, Any, Any], code: FromPath[str]) -> Redirect:
    """Speak this language from now on, and go back to where the person was."""
    referer = request.headers.get("referer", "")
    _, _, place = referer.partition(f"//{request.headers.get('host', '')}")
    response = Redirect(_inside(place or "/"), status_code=303)
    if code in {language.code for language in LANGUAGES}:
        response.set_cookie(LANGUAGE_COOKIE, code, path="/", samesite="lax", max_age=YEAR)
    return response


def accounts_of(clinic: Clinic) -> Accounts:
    """The accounts of this clinic."""
    accounts = clinic.services["accounts"]
    assert isinstance(accounts, Accounts)  # noqa: S101 - the app puts it there
    return accounts


async def _sign_in(clinic: Clinic, request: Request[Any, Any, Any], username: str, password: str) -> SignedIn:
    address = request.client.host if request.client else ""
    agent = request.headers.get("user-agent", "")
    request_id = request_id_of(request)
    return await accounts_of(clinic).sign_in(username, password, address, agent, request_id)


async def _end(clinic: Clinic, request: Request[Any, Any, Any], actor: Actor) -> None:
    headers = {name: value.decode("latin-1") for name, value in request.scope["headers"]}
    await accounts_of(clinic).sign_out(actor, session_token(headers)[0])


def _inside(path: str) -> str:
    """A path of our own to go on to, never another site's."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _cookie(request: Request[Any, Any, Any]) -> str:
    return cookie_name(request.headers.get("host", ""))
