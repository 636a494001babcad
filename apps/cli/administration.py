"""What an operator does to keys and accounts, beside the running service, over the database alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from pydantic import BaseModel, Field, ValidationError

from apps.cli.check import auth_settings
from apps.cli.record import operator_variables
from apps.cli.settings import WrongSettingsError
from apps.cli.terminal import fail
from libs.auth import (
    Administration,
    FileUnreadable,
    Format,
    ImportReport,
    KeyRevocation,
    KeyUnreadable,
    NewSecret,
    Rotation,
    ServiceAccountExists,
    UnknownAccount,
    UnknownServiceAccount,
    UnknownSigningKey,
)
from libs.containers.auth_container import administration
from libs.domain.auth import RegisterRequest, ScopeText
from libs.infra.database import DatabaseAway, DatabaseRefused
from libs.messaging import AppError, ValidationFailed

ResultT = TypeVar("ResultT")


class _WantedService(BaseModel):
    name: str = Field(pattern=r"^[!-~]([ -~]{0,98}[!-~])?$")  # what a table shows whole
    scope: ScopeText


def list_keys() -> list[tuple[str, ...]]:
    """The signing keys: id, algorithm, state, when made, when the next one takes over."""
    states = _run(lambda hands: hands.list_keys())
    return [
        (key.kid, key.algorithm, key.state, moment(key.created_at), moment(key.signs_from)) for key in states
    ]


def rotate_keys(*, at_once: bool) -> Rotation:
    """Let the next key sign, now or when it is ready."""
    return _run(lambda hands: hands.rotate_keys(at_once=at_once))


def revoke_key(kid: str) -> KeyRevocation:
    """Believe no token of a key any more."""
    return _run(lambda hands: hands.revoke_key(kid))


def create_account(email: str, username: str | None, password: str, *, admin: bool) -> str:
    """Make an account; its id."""
    fields = {"email": email, "password": password, "username": username}
    try:
        request = RegisterRequest.model_validate({name: value for name, value in fields.items() if value})
    except ValidationError as error:
        _refuse(ValidationFailed.of(error))
    return str(_run(lambda hands: hands.create_account(request, admin=admin)).id)


def disable_account(login: str) -> int:
    """Shut an account; how many sessions that ended."""
    return _run(lambda hands: hands.disable_account(login))


def give_role(login: str, role: str) -> None:
    """Give an account a role."""
    _run(lambda hands: hands.give_role(login, role))


def take_role(login: str, role: str) -> int:
    """Take a role from an account; how many sessions that ended."""
    return _run(lambda hands: hands.take_role(login, role))


def import_accounts(file: Path, format_: str | None, *, write: bool) -> ImportReport:
    """Bring accounts of another system in, or only look whether that works."""
    try:
        known = Format(format_) if format_ else Format.of(file)
    except FileUnreadable as error:
        fail(str(error))
    return _run(lambda hands: hands.import_accounts(file, known, write=write))


def create_service(name: str, scopes: Sequence[str]) -> NewSecret:
    """Make a service account."""
    try:
        wanted = _WantedService(name=name, scope=" ".join(scopes))
    except ValidationError as error:
        _refuse(ValidationFailed.of(error))
    return _run(lambda hands: hands.create_service(wanted.name, wanted.scope))


def list_services() -> list[tuple[str, ...]]:
    """The service accounts: name, client id, state, scopes."""
    states = _run(lambda hands: hands.list_services())
    return [
        (one.name, str(one.client_id), "disabled" if one.disabled_at else "active", one.scope)
        for one in states
    ]


def replace_secret(name: str) -> NewSecret:
    """Give a service account another secret."""
    return _run(lambda hands: hands.replace_secret(name))


def disable_service(name: str) -> None:
    """Shut a service account."""
    _run(lambda hands: hands.disable_service(name))


def moment(time: datetime | None) -> str:
    """A moment as the tables show it (UTC); nothing where there is none."""
    return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _run(work: Callable[[Administration], Awaitable[ResultT]]) -> ResultT:
    """Do something with the operator's hands; whatever is refused ends the command with a line for each reason."""
    try:
        return asyncio.run(_with_hands(work))
    except AppError as error:
        _refuse(error)
    except (
        DatabaseAway,
        DatabaseRefused,
        FileUnreadable,
        KeyUnreadable,
        ServiceAccountExists,
        UnknownAccount,
        UnknownServiceAccount,
        UnknownSigningKey,
    ) as error:
        fail(str(error))


async def _with_hands(work: Callable[[Administration], Awaitable[ResultT]]) -> ResultT:
    variables = operator_variables()
    lacking = [name for name in ("DATABASE_URL", "AUTH_KEY_ENCRYPTION_KEYS") if name not in variables]
    if lacking:
        raise WrongSettingsError([f"{name}: is required while Gatehouse does not run" for name in lacking])
    async with administration(auth_settings(variables)) as hands:
        return await work(hands)


def _refuse(error: AppError) -> NoReturn:
    fail(*([f"{one.field}: {one.message}" for one in error.errors] or [str(error)]))
