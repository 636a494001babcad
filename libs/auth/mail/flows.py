"""The e-mail flows as one, over the rules that they build on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from libs.auth.mail.address_change import AddressChange
from libs.auth.mail.code_sign_in import CodeSignIn
from libs.auth.mail.notices import Notices
from libs.auth.mail.own_acts import OwnActs
from libs.auth.mail.ownership import Ownership
from libs.auth.mail.password_reset import PasswordReset
from libs.auth.mail.post import Post
from libs.auth.mail.registration import Registration
from libs.auth.mail.relay import MailRelay
from libs.auth.mail.requests import Requests
from libs.auth.mail.settings import MailSettings
from libs.auth.mail.templates import Templates
from libs.auth.mail.verification import Verification
from libs.auth.rules import Rules
from libs.auth.sealing import Sealer
from libs.auth.throttling import Rates
from libs.infra.smtp import Smtp


class NoMailServer(Exception):
    """Addresses must be verified, and there is no mail server to do it with."""


@dataclass(frozen=True)
class MailFlows:
    """One object per flow, and the relay that sends their letters."""

    registration: Registration
    verification: Verification
    password_reset: PasswordReset
    code_sign_in: CodeSignIn
    address_change: AddressChange
    own_acts: OwnActs
    post: Post
    notices: Notices
    relay: MailRelay

    @classmethod
    def over(
        cls, rules: Rules, settings: MailSettings, *, smtp: Smtp, rates: Rates, secrets: list[bytes]
    ) -> Self:
        """Letters are sealed with the first of ``secrets``.

        Raises `TemplateBroken`, naming file and line, and `NoMailServer` where one is needed and not set.
        """
        required = settings.verification == "required"
        if required and not smtp.configured:
            raise NoMailServer("AUTH_EMAIL_VERIFICATION=required needs AUTH_SMTP_URL")
        templates = Templates.checked(settings.templates, locale=settings.locale, product=settings.product)
        storage, clock, sealer = rules.storage, rules.clock, Sealer(*secrets)
        relay = MailRelay(storage, templates, sealer, smtp, clock)
        post = Post(templates, sealer, clock, delivers=smtp.configured, wake=relay.wake)
        requests = Requests(storage, post, rates, settings, rules.devices, clock, secret=secrets[0])
        notices, ownership = Notices(post, clock), Ownership(rules.endings, clock)
        registration = Registration(
            rules.accounts, storage, rules.passwords, requests, post, clock, verified_first=required
        )
        return cls(
            registration=registration,
            verification=Verification(storage, requests, post, ownership, registration),
            password_reset=PasswordReset(
                storage, rules.passwords, requests, post, notices, ownership, rules.endings, clock
            ),
            code_sign_in=CodeSignIn(
                storage, rules.sessions, requests, post, notices, ownership, rules.devices
            ),
            address_change=AddressChange(
                storage, rules.proof, rules.recent, requests, post, notices, rules.endings, clock
            ),
            own_acts=OwnActs(rules.password_change, rules.api_keys, rates, settings, post, notices),
            post=post,
            notices=notices,
            relay=relay,
        )
