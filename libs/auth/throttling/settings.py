"""The settings of the throttles."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ThrottleSettings(BaseModel):
    """How failed sign-ins slow down, and how fast one address may go.

    An account has two names at most, its e-mail address and its username, and each has its own count: a limit of 50 keeps
    the account within the 100 consecutive failures that NIST SP 800-63B (section 3.2.2) allows.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    attempts: int = Field(
        5,
        ge=1,
        validation_alias="AUTH_THROTTLE_ATTEMPTS",
        description="Failures for one login from one address, or from one known device, before each next try must wait.",
    )
    login_attempts: int = Field(
        20,
        ge=1,
        validation_alias="AUTH_THROTTLE_LOGIN_ATTEMPTS",
        description="Failures for one login from everywhere before all but known devices must wait.",
    )
    login_limit: int = Field(
        50,
        ge=1,
        validation_alias="AUTH_THROTTLE_LOGIN_LIMIT",
        description="Failures in a row for one login after which only known devices may try, until these are forgotten.",
    )
    first_delay: float = Field(
        1.0,
        gt=0,
        validation_alias="AUTH_THROTTLE_FIRST_DELAY",
        description="How long the first wait is; each following failure doubles it (s).",
    )
    longest_delay: float = Field(
        900.0,
        gt=0,
        validation_alias="AUTH_THROTTLE_LONGEST_DELAY",
        description="How long a wait can become (s).",
    )
    memory: float = Field(
        86_400.0,
        gt=0,
        le=31_536_000,
        validation_alias="AUTH_THROTTLE_MEMORY",
        description="How long failures are remembered after the last one; a success forgets them at once (s).",
    )
    device_seconds: int = Field(
        15_552_000,
        ge=0,
        validation_alias="AUTH_DEVICE_SECONDS",
        description="How long a device that signed in is known; each sign-in starts it anew (s).",
    )
    register_per_hour: int = Field(
        60,
        ge=0,
        validation_alias="AUTH_REGISTER_PER_HOUR",
        description="Registrations that one address may ask for in an hour, in a burst or spread; 0 is no limit.",
    )
    refresh_per_minute: int = Field(
        600,
        ge=0,
        validation_alias="AUTH_REFRESH_PER_MINUTE",
        description="Refreshes that one address may ask for in a minute, in a burst or spread; 0 is no limit.",
    )
    token_per_minute: int = Field(
        600,
        ge=0,
        validation_alias="AUTH_TOKEN_PER_MINUTE",
        description="Tokens of service accounts that one address may ask for in a minute, in a burst or spread; 0 is no limit.",
    )

    @property
    def session_limit(self) -> int:
        """Wrong passwords in a row for one session after which it may try none, until these are forgotten.

        Half of what makes the whole account wait, so that one session never does.
        """
        return max(1, self.login_attempts // 2)
