"""What hypothesis draws for AMQP: names, tables, properties, messages."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from libs.amqp.properties import MAX_EXPIRATION, Properties

short_strings = st.text(max_size=60).filter(lambda text: len(text.encode()) <= 255)
"""Short strings: up to 255 bytes of UTF-8."""

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=40).map(lambda raw: b"\xff" + raw)
    | st.builds(
        lambda unscaled, places: Decimal(unscaled).scaleb(-places),
        st.integers(-(2**31), 2**31 - 1),
        st.integers(0, 20),
    )
    | st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
)
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(short_strings, inner, max_size=4),
    max_leaves=12,
)
"""Every field-table type, nested."""

tables = st.dictionaries(short_strings, values, max_size=6)

_octets = st.none() | st.integers(0, 255)
_shorts = st.none() | short_strings
properties = st.builds(
    Properties,
    content_type=_shorts,
    content_encoding=_shorts,
    headers=st.none() | tables,
    delivery_mode=_octets,
    priority=_octets,
    correlation_id=_shorts,
    reply_to=_shorts,
    expiration=st.none() | st.integers(0, MAX_EXPIRATION),
    message_id=_shorts,
    timestamp=st.none() | st.integers(0, 2**32 - 1),
    type=_shorts,
    user_id=_shorts,
    app_id=_shorts,
)
bodies = st.binary(max_size=300)
