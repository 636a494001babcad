"""The settings of the throttles."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ThrottleSettings(BaseModel):
    """How failed sign-ins slow down, and how fast one address may go.

    What guesses a password counts in one of four places: under the account's e-mail address, under its username, at its known
    devices together, and where somebody who is signed in is asked for it once more. Each has the limit ``login_limit``, and
    25 in each keep the password within the 100 failures in a row that NIST SP 800-63B (section 3.2.2) allows.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    attempts: int = Field(
        5,
        ge=1,
        validation_alias="AUTH_THROTTLE_ATTEMPTS",
        description="Failures for one login from one address, or from one known device or session, before each next try must wait.",
    )
    login_attempts: int = Field(
        20,
        ge=1,
        validation_alias="AUTH_THROTTLE_LOGIN_ATTEMPTS",
        description="Failures for one login from everywhere before all but known devices must wait; for all known devices of an "
        "account, and for all its sessions, before all of them must. One device or session alone may try half as often.",
    )
    login_limit: int = Field(
        25,
        ge=1,
        validation_alias="AUTH_THROTTLE_LOGIN_LIMIT",
        description="Failures in a row after which nothing is tried until they are forgotten: for one login but from known devices, "
        "for all known devices of an account, and for all its sessions. Four times this is the most for one password.",
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
    failures_per_hour: int = Field(
        200,
        ge=0,
        validation_alias="AUTH_LOGIN_FAILURES_PER_HOUR",
        description="Failed sign-ins, for whatever logins, that one address may have in an hour, in a burst or spread; 0 is no limit. "
        "Known devices do not count. An office or a school has one address: where one sign-in in twenty fails, 200 are reached "
        "by 4,000 sign-ins on new devices in an hour, and then the next waits 18 s.",
    )
    device_seconds: int = Field(
        15_552_000,
        ge=0,
        validation_alias="AUTH_DEVICE_SECONDS",
        description="How long a device that signed in is known, while the password is the same; each sign-in starts it anew (s).",
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
    def single_limit(self) -> int:
        """Wrong passwords in a row from one session, or one known device, after which it may try none until they are forgotten.

        Half of what makes all sessions, or all known devices, of the account wait, so that one never does.
        """
        return max(1, self.login_attempts // 2)
