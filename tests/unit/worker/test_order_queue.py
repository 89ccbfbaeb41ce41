"""The queue of executions that wait: bounded by number and by size."""

from __future__ import annotations

import threading

from lightning_grpc.worker.order_queue import OrderQueue, RunOrder

DEADLINE_S = 30


def order(number, size_bytes=0):
    return RunOrder(str(number), f"run:{number}", (), {}, size_bytes=size_bytes)


def test_orders_come_out_as_they_went_in():
    orders = OrderQueue()
    for number in range(3):
        orders.put(order(number))
    assert [orders.get().call_id for _ in range(3)] == ["0", "1", "2"]
    assert (orders.waiting, orders.waiting_bytes) == (0, 0)


def test_no_more_than_so_many_wait():
    orders = OrderQueue(max_waiting=2)
    for number in range(2):
        assert orders.has_room(order(number))
        orders.put(order(number))
    assert not orders.has_room(order(2))
    orders.get()
    assert orders.has_room(order(2))


def test_no_more_than_so_many_bytes_wait():
    orders = OrderQueue(max_bytes=100)
    orders.put(order(0, 60))
    assert orders.has_room(order(1, 40))
    assert not orders.has_room(order(1, 41))
    orders.get()
    assert orders.has_room(order(1, 41))


def test_one_that_is_too_large_for_company_is_let_in_alone():
    orders = OrderQueue(max_bytes=100)
    assert orders.has_room(order(0, 1_000))
    orders.put(order(0, 1_000))
    assert not orders.has_room(order(1, 0))


def test_waking_the_reader_gives_it_no_order_and_takes_no_room():
    orders = OrderQueue(max_waiting=1)
    reader = []
    thread = threading.Thread(target=lambda: reader.append(orders.get()), name="reader", daemon=True)
    thread.start()
    orders.wake()
    thread.join(DEADLINE_S)
    assert reader == [None]
    orders.wake()
    assert orders.has_room(order(0))


def test_what_waits_can_be_taken_at_once_without_the_wakings():
    orders = OrderQueue()
    orders.wake()
    orders.put(order(0, 5))
    orders.wake()
    orders.put(order(1, 5))
    assert [each.call_id for each in orders.take_all()] == ["0", "1"]
    assert (orders.waiting, orders.waiting_bytes) == (0, 0)
    assert orders.take_all() == []
