"""A kitchen that takes orders over HTTP."""

import time

from fastapi import HTTPException
from pydantic import BaseModel, Field

import lightning_grpc as L
from lightning_grpc.api import Delete, Get, Post


class Order(BaseModel):
    dish: str = Field(min_length=1, max_length=50)
    count: int = Field(default=1, ge=1, le=10)


class Receipt(BaseModel):
    number: int
    dish: str
    count: int
    ready: bool


class Cook(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.ready = []

    def run(self, number, dish, count):
        time.sleep(0.1 * count)
        print(f"{count} x {dish} is ready")
        self.ready.append(number)  # last: whoever sees it may close the kitchen


class Kitchen(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.cook = Cook()
        self.orders = []
        self.is_closed = False

    def run(self):
        for number, order in enumerate(self.orders):
            self.cook.run(number, order["dish"], order["count"])  # once each; those that wait are cooked in order
        if self.is_closed and len(self.cook.ready) == len(self.orders):
            self.stop("The kitchen is closed.")

    def order(self, order: Order) -> Receipt:
        """Order a dish."""
        if self.is_closed:
            raise HTTPException(409, "the kitchen is closed")
        self.orders.append(order.model_dump())
        return self.look(len(self.orders) - 1)

    def look(self, number: int) -> Receipt:
        """Look whether an order is ready."""
        if not 0 <= number < len(self.orders):
            raise HTTPException(404, f"there is no order {number}")
        return Receipt(number=number, ready=number in self.cook.ready, **self.orders[number])

    def close(self) -> int:
        """Take no more orders, and end when all are ready; returns how many are not."""
        self.is_closed = True
        return len(self.orders) - len(self.cook.ready)

    def configure_api(self):
        return [
            Post("/v1/orders", self.order, status_code=201),
            Get("/v1/orders/{number}", self.look),
            Get("/v1/menu", menu),
            Delete("/v1/kitchen", self.close),
        ]


def menu() -> list[str]:
    """Say what there is; a function needs no Flow, and is never kept waiting by one."""
    return ["soup", "bread", "tea"]


app = L.LightningApp(Kitchen())
