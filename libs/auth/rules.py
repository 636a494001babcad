"""The rules of identity as one: what a process of auth_svc does with its database, and the operator's command as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from libs.auth.accounts import Accounts
from libs.auth.breaches import Breaches
from libs.auth.closing import Closing
from libs.auth.departures import Departures
from libs.auth.endings import Endings
from libs.auth.extra_claims import ClaimsSettings, ExtraClaimsSource
from libs.auth.hashing import HashPool
from libs.auth.keys import Keys
from libs.auth.machines import ApiKeys, ApiKeySettings, ServiceAccounts
from libs.auth.password_change import PasswordChange
from libs.auth.password_proof import PasswordProof
from libs.auth.passwords import Passwords
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Storage
from libs.auth.roles import Roles, RoleSettings
from libs.auth.sessions import Sessions
from libs.auth.settings import KeySettings, PasswordSettings, SessionSettings
from libs.auth.throttling import Attempts, Devices, Refusals, Seldom, Store, ThrottleSettings
from libs.auth.tokens import AccessTokens
from libs.infra.clock import Clock
from libs.infra.jwt import TokenSettings
from libs.messaging import Bus


class RuleSections(Protocol):
    """The settings that the rules need."""

    @property
    def tokens(self) -> TokenSettings:
        """What issuer and verifiers agree on."""

    @property
    def keys(self) -> KeySettings:
        """The signing keys."""

    @property
    def sessions(self) -> SessionSettings:
        """How long tokens live."""

    @property
    def passwords(self) -> PasswordSettings:
        """What passwords must be."""

    @property
    def api_keys(self) -> ApiKeySettings:
        """What API keys there may be."""

    @property
    def roles(self) -> RoleSettings:
        """What roles allow."""

    @property
    def claims(self) -> ClaimsSettings:
        """Who adds claims to access tokens."""

    @property
    def throttles(self) -> ThrottleSettings:
        """How failures slow down."""


@dataclass(frozen=True)
class Rules:
    """One object per topic; `libs/auth/handlers.py` says which of them answers what."""

    storage: Storage
    keys: Keys
    sessions: Sessions
    departures: Departures
    accounts: Accounts
    password_change: PasswordChange
    closing: Closing
    passwords: Passwords
    proof: PasswordProof
    recent: RecentSignIn
    devices: Devices
    roles: Roles
    endings: Endings
    api_keys: ApiKeys
    service_accounts: ServiceAccounts
    clock: Clock

    @classmethod
    async def over(
        cls,
        storage: Storage,
        settings: RuleSections,
        *,
        pool: HashPool,
        breaches: Breaches,
        counts: Store,
        clock: Clock,
        bus: Bus | None = None,
        verified_first: bool = False,
    ) -> Self:
        """The rules over one database; ``counts`` remembers failures, ``bus`` reaches who adds claims.

        With ``verified_first`` nobody signs in before the account's address is verified.
        """
        passwords = await Passwords.create(settings.passwords, pool, breaches)
        keys = Keys(storage, settings.keys, tokens=settings.tokens, sessions=settings.sessions, clock=clock)
        access_tokens = AccessTokens(settings.tokens, settings.sessions, clock)
        attempts = Attempts(
            counts,
            settings.throttles,
            Refusals(storage, counts),
            secrets=settings.keys.secrets,
            clock=clock,
        )
        endings = Endings(settings.sessions, clock)
        recent = RecentSignIn(storage, settings.sessions, clock)
        proof = PasswordProof(storage, passwords, attempts)
        roles = Roles(settings.roles, endings, clock)
        extra = ExtraClaimsSource(settings.claims, bus)
        sessions = Sessions(storage, keys, access_tokens, endings, roles, extra, settings.sessions, clock)
        return cls(
            storage=storage,
            keys=keys,
            sessions=sessions,
            departures=Departures(storage, endings, recent, clock),
            accounts=Accounts(
                storage, passwords, sessions, attempts, roles, recent, clock, verified_first=verified_first
            ),
            password_change=PasswordChange(storage, passwords, proof, endings, clock),
            closing=Closing(storage, endings, proof, recent, clock),
            passwords=passwords,
            proof=proof,
            recent=recent,
            devices=attempts.devices,
            roles=roles,
            endings=endings,
            api_keys=ApiKeys(storage, roles, endings, settings.api_keys, clock),
            service_accounts=ServiceAccounts(
                storage,
                keys,
                access_tokens,
                endings,
                clock,
                failures=Seldom(counts, "service_failed", seconds=60),
            ),
            clock=clock,
        )
