"""What a back end may ask; fields that are not known here are ignored, as Centrifugo does."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from libs.realtime.codes import BAD_REQUEST, Disconnect, Refused

_Name = Annotated[str, Field(max_length=255)]
_OFFSET = Field(0, ge=0, lt=1 << 63)


class ApiRequest(BaseModel):
    """One request's body."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


class Publish(ApiRequest):
    """Tell a channel something: ``data`` is any JSON, ``b64data`` the same in base64."""

    channel: str
    data: Any = None
    b64data: str = ""
    idempotency_key: str = Field("", max_length=1024)
    skip_history: bool = False
    tags: dict[str, str] = Field(default_factory=dict)
    version: int = 0

    def payload(self) -> bytes:
        """The publication's JSON, as yet unchecked; raises `Refused` for what cannot be kept as it is asked for."""
        # Whoever asks for these must not believe that they were heeded.
        if self.skip_history or self.tags or self.version:
            raise Refused(BAD_REQUEST)
        if not self.b64data:
            if "data" not in self.model_fields_set:
                raise Refused(BAD_REQUEST)
            return to_json(self.data)
        try:
            return b64decode(self.b64data, validate=True)
        except Base64Error as error:
            raise Refused(BAD_REQUEST) from error


class Since(ApiRequest):
    """A position."""

    offset: int = _OFFSET
    epoch: str = ""


class History(ApiRequest):
    """What was said in a channel: ``limit`` 0 asks for the position only, -1 for all that is given at once."""

    channel: str
    limit: int = Field(0, ge=-(1 << 31), lt=1 << 31)
    since: Since | None = None
    reverse: bool = False


class Presence(ApiRequest):
    """Who is in a channel."""

    channel: str


class Closing(ApiRequest):
    """How connections are to be closed."""

    code: int = Field(ge=3000, le=4999)
    reason: str = Field("", max_length=123, pattern=r"^[\x20-\x7e]*$")


class DisconnectUser(ApiRequest):
    """Close the connections of ``user``, or only ``client`` of them, but none of the ``whitelist``."""

    user: _Name
    client: _Name = ""
    session: str = ""
    whitelist: list[_Name] = Field(default_factory=list, max_length=1000)
    disconnect: Closing | None = None

    def closing(self, default: Disconnect) -> Disconnect:
        """The code and the reason, which is never empty: SDKs would come back from a terminal code without one."""
        if self.disconnect is None:
            return default
        return Disconnect(self.disconnect.code, self.disconnect.reason or default.reason)
