"""What the audit log says stays as it was written, whoever got hold of the services' role."""

import sqlalchemy as sa
from alembic import op

revision = "auth_0007"
down_revision = "auth_0006"
branch_labels = None
depends_on = None

# Triggers and not rights alone: they hold where the services' role owns the schema, too, and taking rows for removal
# (`FOR UPDATE`) asks for the right to update them.
_REFUSES = """
CREATE FUNCTION auth.refuse_audit_change() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RAISE EXCEPTION 'permission denied: audit rows are not changed, and removed by age only'
        USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_ON_UPDATE = """
CREATE TRIGGER audit_log_unchanged BEFORE UPDATE ON auth.audit_log
FOR EACH STATEMENT EXECUTE FUNCTION auth.refuse_audit_change()
"""
# AUTH_AUDIT_RETENTION is a day at least; the hour less is for clocks that differ.
_ON_DELETE = """
CREATE TRIGGER audit_log_kept BEFORE DELETE ON auth.audit_log
FOR EACH ROW WHEN (OLD.at > now() - interval '23 hours') EXECUTE FUNCTION auth.refuse_audit_change()
"""


def upgrade() -> None:
    """Let rows be added, and removed once they are old."""
    for statement in (_REFUSES, _ON_UPDATE, _ON_DELETE):
        op.execute(sa.text(statement))
