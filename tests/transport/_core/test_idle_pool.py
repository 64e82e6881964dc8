"""Connections that wait: which one is taken, which one has to go, and when."""

from __future__ import annotations

from codex_api.transport._core.idle_pool import IdleConnections
from codex_api.transport._core.route import Route

HERE, THERE = Route("here", 80, is_tls=False), Route("there", 80, is_tls=False)


def test_the_newest_connection_of_a_route_is_taken_first() -> None:
    idle: IdleConnections[str] = IdleConnections(None, None)
    for now, (route, name) in enumerate([(HERE, "a"), (HERE, "b"), (THERE, "c")]):
        idle.put(route, name, now)

    taken = [idle.take(HERE), idle.take(HERE), idle.take(HERE), idle.take(THERE)]

    assert taken == ["b", "a", None, "c"]
    assert len(idle) == 0


def test_the_oldest_of_all_routes_goes_where_there_are_too_many() -> None:
    idle: IdleConnections[str] = IdleConnections(2, None)
    idle.put(HERE, "oldest", 1.0)
    idle.put(THERE, "old", 2.0)

    assert list(idle.put(THERE, "new", 3.0)) == ["oldest"]
    assert list(idle.put(HERE, "newest", 4.0)) == ["old"]
    assert sorted(idle.clear()) == ["new", "newest"]


def test_a_limit_of_nothing_keeps_nothing() -> None:
    idle: IdleConnections[str] = IdleConnections(0, None)

    assert list(idle.put(HERE, "a", 0.0)) == ["a"]
    assert idle.take(HERE) is None


def test_connections_expire_of_age_alone() -> None:
    idle: IdleConnections[str] = IdleConnections(None, 10.0)
    assert list(idle.expire(0.0)) == []
    idle.put(HERE, "a", 1.0)
    idle.put(THERE, "b", 2.0)
    idle.put(HERE, "c", 8.0)

    assert idle.expires_at <= 11.0
    assert list(idle.expire(10.9)) == []
    assert sorted(idle.expire(12.0)) == ["a", "b"]
    assert idle.expires_at == 18.0
    assert list(idle.expire(18.0)) == ["c"]
    assert len(idle) == 0


def test_without_a_lifetime_nothing_is_ever_due() -> None:
    idle: IdleConnections[str] = IdleConnections(None, None)
    idle.put(HERE, "a", 0.0)

    assert list(idle.expire(1e9)) == []
    assert idle.expires_at == float("inf")


def test_what_is_discarded_is_gone_and_may_be_discarded_again() -> None:
    idle: IdleConnections[str] = IdleConnections(None, 10.0)
    idle.put(HERE, "a", 0.0)
    idle.discard(THERE, "a")
    assert len(idle) == 1

    for _ in range(2):
        idle.discard(HERE, "a")
        assert len(idle) == 0

    assert idle.take(HERE) is None
