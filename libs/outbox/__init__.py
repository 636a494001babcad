"""The transactional outbox and inbox: the only place where messages and SQL meet."""

from libs.outbox.inbox import Inbox
from libs.outbox.outbox import Claim, Outbox
from libs.outbox.relay import Relay
from libs.outbox.settings import OutboxSettings
from libs.outbox.tables import inbox_table, outbox_table

__all__ = ["Claim", "Inbox", "Outbox", "OutboxSettings", "Relay", "inbox_table", "outbox_table"]
