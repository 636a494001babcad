"""New accounts: one that somebody registers or that is made for somebody is announced where it is made, and nowhere else."""

from __future__ import annotations

from libs.auth.callers import Origin
from libs.auth.repository import NewAccount, Stored
from libs.domain.auth import ACCOUNT_REGISTERED, AccountRegistered


async def make_account(stored: Stored, new: NewAccount, origin: Origin) -> bool:
    """Make it, write it down and tell of it; False where its address or username belongs to another account."""
    if not await stored.accounts.add(new):
        return False
    await stored.audit.add("account.registered", account_id=new.id, origin=origin)
    registered = AccountRegistered(
        account_id=new.id, email=new.email, username=new.username, created_at=new.created_at
    )
    await stored.tell(ACCOUNT_REGISTERED, registered)
    return True
