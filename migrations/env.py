"""What Alembic runs: the migrations of one schema, on the connection that `libs.infra.migrations` made."""

from alembic import context

connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]

context.configure(connection=connection, version_table_schema=schema)
with context.begin_transaction():
    context.run_migrations()
