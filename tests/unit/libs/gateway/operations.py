"""Operations of a service that exists for tests: one for each way in which a request travels."""

from __future__ import annotations

from pydantic import Field, RootModel

from libs.messaging import (
    PUBLIC,
    SERVICES,
    Caller,
    Empty,
    Handlers,
    Operation,
    Patch,
    Reply,
    Request,
    delete,
    get,
    patch,
    post,
    scope,
)


class Note(Request):
    text: str = Field(max_length=20)


class NoteOf(Request):
    id: int
    text: str


class Which(Request):
    id: int


class Search(Request):
    text: str
    tags: tuple[str, ...] = ()
    limit: int = 10


class Patching(Patch):
    id: int
    text: str | None = None
    done: bool = False


class Confirmed(Request):
    password: str = ""


class Seen(Reply):
    """What the service saw."""

    saw: str
    who: str = ""
    ip: str = ""
    user_agent: str = ""
    language: str = ""
    request_id: str = ""
    traceparent: str = ""


class Jotting(Request):
    """What is done at once, or later."""

    text: str
    later: bool = False


class Later(Reply):
    """What is asked again with."""

    ticket: str


class Jotted(RootModel[Seen | Later]):
    """One or the other."""


PING = Operation("notes.ping", Empty, Seen, access=PUBLIC, http=get("/v1/ping"))
ADD = Operation("notes.add", Note, Seen, http=post("/v1/notes", status=201))
SEARCH = Operation("notes.search", Search, Seen, http=get("/v1/notes"))
READ = Operation("notes.read", Which, Seen, http=get("/v1/notes/{id}"))
CHANGE = Operation("notes.change", NoteOf, Seen, http=patch("/v1/notes/{id}"))
REMOVE = Operation("notes.remove", Which, Empty, http=delete("/v1/notes/{id}"))
PATCH = Operation("notes.patch", Patching, Seen, http=patch("/v1/notes/{id}/state"))
DONE = Operation("notes.done", Which, Seen, http=post("/v1/notes/{id}/done"))
FORGET = Operation("notes.forget", Confirmed, Seen, http=delete("/v1/memory", status=200, body=True))
CLEAR = Operation(
    "notes.clear", Empty, Empty, access=scope("notes.clear"), http=post("/v1/clear", status=204)
)
TICKET = Operation("notes.ticket", Empty, Seen, access=PUBLIC, http=post("/v1/ticket", no_store=True))
JOT = Operation("notes.jot", Jotting, Jotted, access=PUBLIC, http=post("/v1/jot", status=201, accepted=Later))
INTERNAL = Operation("notes.internal", Empty, Seen, access=SERVICES)

OPERATIONS = (PING, ADD, SEARCH, READ, CHANGE, REMOVE, PATCH, DONE, FORGET, CLEAR, TICKET, JOT, INTERNAL)


async def see(request: Request, caller: Caller) -> Seen:
    """Tells what it was asked, and by whom."""
    return Seen(
        saw=request.model_dump_json(),
        who=caller.identity.sub if caller.identity else "",
        ip=caller.client.ip,
        user_agent=caller.client.user_agent,
        language=caller.client.language,
        request_id=caller.request_id,
        traceparent=caller.traceparent,
    )


async def jot(request: Jotting, _caller: Caller) -> Jotted:
    """Does it at once, or later."""
    return Jotted(Later(ticket=request.text)) if request.later else Jotted(Seen(saw=request.text))


async def nothing(_request: Request, _caller: Caller) -> Empty:
    """Does as it is told."""
    return Empty()


def handlers() -> Handlers:
    """The whole service."""
    table = Handlers("notes")
    table.on(PING, see)
    table.on(ADD, see)
    table.on(SEARCH, see)
    table.on(READ, see)
    table.on(CHANGE, see)
    table.on(REMOVE, nothing)
    table.on(PATCH, see)
    table.on(DONE, see)
    table.on(FORGET, see)
    table.on(CLEAR, nothing)
    table.on(TICKET, see)
    table.on(JOT, jot)
    table.on(INTERNAL, see)
    return table
