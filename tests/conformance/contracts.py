"""Contracts of an imaginary warehouse, spoken by the tests of the bus."""

from libs.messaging import SERVICES, AppError, Empty, Event, Lane, Operation, Reply, Request, scope


class Order(Request):
    item: str
    count: int = 1


class Receipt(Reply):
    item: str
    total: int


class Seen(Reply):
    """What a handler saw of its caller."""

    sub: str = ""
    ip: str = ""
    remaining: float = 0.0


class Shipped(Reply):
    number: int


class OutOfStock(AppError):
    """There are not enough of them."""

    code = "warehouse.out_of_stock"
    status = 409
    title = "Out of stock"


ORDER = Operation("warehouse.order", Order, Receipt, access=SERVICES)
ORDER_AS_NUMBER = Operation("warehouse.order", Order, Shipped, access=SERVICES)
SLOW = Operation("warehouse.slow", Order, Receipt, access=SERVICES, lane="slow")
WHO = Operation("warehouse.who", Empty, Seen, access=SERVICES)
ASK_WHO = Operation("warehouse.ask_who", Empty, Seen, access=SERVICES)
MINE = Operation("warehouse.mine", Empty, Seen)
CLEAR = Operation("warehouse.clear", Empty, Seen, access=scope("warehouse:clear"))
NOBODY = Operation("nobody.answers", Empty, Seen, access=SERVICES)

SHIPPED = Event("warehouse.shipped", Shipped)
LOST = Event("warehouse.lost", Shipped)
NEWS = Event("realtime.news.posted", Shipped)

LANES = {"slow": Lane(slots=1, max_length=1)}
