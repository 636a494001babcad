"""Families: what a refresh token that is not the live one of its session may still do.

A session is a family of refresh tokens with one live member. An answer can be lost and tabs run in parallel, so the
immediate predecessor of the live token is forgiven; any other use of a spent token means that two parties hold the
family, and ends it (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from libs.auth.settings import SessionSettings
from libs.auth.tokens import LiveSession


class Verdict(Enum):
    """What comes of presenting a token that could not simply be rotated."""

    ENDED = "its session has ended, or its account is shut"
    EXPIRED = "it waited too long, or its session has lived long enough"
    SAME = "it was rotated a moment ago: give the same successor again"
    AGAIN = "its successor never arrived: rotate it once more, and the unused successor counts as spent"
    REUSED = "somebody else holds the family: end the session"


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A stored refresh token and what surrounds it."""

    session: LiveSession
    open: bool
    """Whether the session goes on and its account is active."""
    expires_at: datetime
    used_at: datetime | None
    rotated_at: datetime | None
    successor: bytes | None
    parent_of_live: bool
    """Whether the session's live token is the one that replaced this one."""
    live_expires_at: datetime | None


def judge(token: PresentedToken, now: datetime, settings: SessionSettings) -> Verdict:
    """What to do with ``token``, which was not the live token of a session that goes on."""
    if not token.open:
        return Verdict.ENDED
    if token.used_at is None or token.session.expires_at <= now:
        return Verdict.EXPIRED
    if token.rotated_at is None or not token.parent_of_live:
        return Verdict.REUSED
    if now - token.rotated_at <= timedelta(seconds=settings.grace_seconds) and token.successor is not None:
        return Verdict.SAME
    if now < min(token.expires_at, token.used_at + timedelta(seconds=settings.lost_answer_seconds)):
        return Verdict.AGAIN
    return Verdict.REUSED
