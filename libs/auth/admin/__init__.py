"""Administration: what admins do to accounts, over the bus and so over HTTP."""

from libs.auth.admin.table import answer_admins

__all__ = ["answer_admins"]
