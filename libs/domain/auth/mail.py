"""What is confirmed by e-mail: a request gives an id, a letter brings a code, and both together confirm it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field, RootModel

from libs.domain.auth.addresses import Email
from libs.domain.auth.dto import PASSWORD_MAX_BYTES, Account, DeviceToken, LoginReply, NewPassword
from libs.domain.auth.lanes import HASHING
from libs.messaging.contract import PUBLIC, Empty, Operation, Reply, Request, post

RequestId: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        repr=False,
        description="The id that came with the 202; a code opens only the request that it was sent for.",
        examples=["Y2FuIHlvdSByZWFkIHRoaXM_IHllcywgeW91IGNhbiE"],
    ),
]
MailCode: TypeAlias = Annotated[
    str,
    Field(
        min_length=1,
        max_length=32,
        repr=False,
        description="The 8 digits from the letter, or its 20 where many were guessed; spaces and dashes do not matter.",
        examples=["1234 5678"],
    ),
]


class ByMail(Request):
    """Whose account is meant; the answer is the same whether there is one or not."""

    email: Email
    device_token: DeviceToken | None = Field(default=None, repr=False)


class CodeSent(Reply):
    """If there is somebody to send it to, a letter with a code is on its way."""

    request_id: RequestId
    expires_in: int = Field(description="Seconds until the code expires.", examples=[600])


class ConfirmCode(Request):
    """The id of a request, and the code from its letter."""

    request_id: RequestId
    code: MailCode


class NewPasswordByCode(ConfirmCode):
    """A new password, by whoever can read the account's mail."""

    new_password: NewPassword


class ChangeEmailRequest(Request):
    """Another address; and the password, unless the sign-in is recent."""

    email: Email
    password: str | None = Field(
        None,
        min_length=1,
        max_length=PASSWORD_MAX_BYTES,
        repr=False,
        examples=["seven green bottles"],
        json_schema_extra={"format": "password"},
    )


class Registered(RootModel[Account | CodeSent]):
    """The account; or, where addresses are verified first, what the owner of the address confirms it with."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


VERIFY = Operation(
    "auth.verify",
    Empty,
    CodeSent,
    http=post("/v1/auth/verify", status=202),
    summary="Send a code to the account's address",
)
VERIFY_CONFIRM = Operation(
    "auth.verify_confirm",
    ConfirmCode,
    Empty,
    access=PUBLIC,
    http=post("/v1/auth/verify/confirm", status=204),
    summary="Verify the address of an account and end its sessions, or make the account that was registered",
)
PASSWORD_RESET = Operation(
    "auth.password_reset",
    ByMail,
    CodeSent,
    access=PUBLIC,
    http=post("/v1/auth/password/reset", status=202, no_store=True),
    summary="Send a code for a new password",
)
PASSWORD_RESET_CONFIRM = Operation(
    "auth.password_reset_confirm",
    NewPasswordByCode,
    Empty,
    access=PUBLIC,
    http=post("/v1/auth/password/reset/confirm", status=204),
    lane=HASHING,
    summary="Choose a new password; ends all sessions, and signs nobody in",
)
CODE = Operation(
    "auth.code",
    ByMail,
    CodeSent,
    access=PUBLIC,
    http=post("/v1/auth/code", status=202, no_store=True),
    summary="Send a code to sign in with",
)
CODE_CONFIRM = Operation(
    "auth.code_confirm",
    ConfirmCode,
    LoginReply,
    access=PUBLIC,
    http=post("/v1/auth/code/confirm", no_store=True),
    summary="Sign in with a code",
)
CHANGE_EMAIL = Operation(
    "auth.change_email",
    ChangeEmailRequest,
    CodeSent,
    http=post("/v1/auth/email", status=202),
    lane=HASHING,
    summary="Send a code to another address that is to be the account's",
)
CHANGE_EMAIL_CONFIRM = Operation(
    "auth.change_email_confirm",
    ConfirmCode,
    Empty,
    http=post("/v1/auth/email/confirm", status=204),
    summary="Change the account's address; tells the old one, and ends the other sessions",
)

MAIL_OPERATIONS = (
    VERIFY,
    VERIFY_CONFIRM,
    PASSWORD_RESET,
    PASSWORD_RESET_CONFIRM,
    CODE,
    CODE_CONFIRM,
    CHANGE_EMAIL,
    CHANGE_EMAIL_CONFIRM,
)
