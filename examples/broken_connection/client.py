"""Places orders: with a retry loop as it is often written, and with one that is right."""

import sys
from uuid import uuid4

import httpx


class Shop:
    """The client's side of the shop.

    Args:
        url: where the shop is, such as http://127.0.0.1:5000.
    """

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=5)

    def order(self, item: str) -> None:
        """Place an order, in at most three attempts; what has no status is not thought of."""
        for _ in range(3):
            answer = self.client.post("/orders", content=item)
            if answer.status_code < 500:
                break
        answer.raise_for_status()

    def order_once(self, item: str) -> None:
        """Place an order, in at most three attempts, of which the shop takes one."""
        key = str(uuid4())
        for left in (2, 1, 0):
            try:
                answer = self.client.post("/orders", content=item, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                if not left:
                    raise
                continue
            if answer.status_code < 500:
                break
        answer.raise_for_status()

    def orders(self) -> list[str]:
        """Return the orders that the shop has taken."""
        found: list[str] = self.client.get("/orders").raise_for_status().json()
        return found

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


if __name__ == "__main__":
    shop = Shop(sys.argv[1])
    for each in sys.argv[2:]:
        shop.order_once(each)
    print(shop.orders())  # noqa: T201
    shop.close()
