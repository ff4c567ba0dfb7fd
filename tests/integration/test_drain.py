"""SIGTERM: no new allocations, no call cut, and out when the last has ended."""

import signal
import time

import stun
from harness import case, equal, eventually
from test_reload import reload, talks


def drain(relay):
    relay.signal(signal.SIGTERM)
    relay.wait_for_log("draining")


@case()
def drain_refuses_the_new_and_keeps_the_old(t):
    relay = t.relay()
    client, peer, _ = t.call(relay)
    drain(relay)
    late = t.client(relay)
    late.refused(508, late.allocate)
    equal(relay.http("/ready")[0], 200, "/ready while draining")
    equal(relay.http("/live")[0], 200, "/live while draining")
    equal(relay.status()["status"], "TERMINATING", "status")
    client.refresh()
    talks(client, peer)
    equal(late.exchange(stun.encode(stun.BINDING, stun.REQUEST, [])).kind, stun.SUCCESS, "Binding while draining")
    client.refresh(0)
    equal(relay.wait(5), 0, "exit status")


@case()
def drain_can_name_another_server(t):
    relay = t.relay(admin={"alternate_server": "192.0.2.7:3479", "ready_while_draining": False})
    client, peer, _ = t.call(relay)
    drain(relay)
    late = t.client(relay)
    answer = late.ask(stun.ALLOCATE, [(stun.REQUESTED_TRANSPORT, stun.UDP_TRANSPORT)])
    equal(answer.error, 300, "error")
    equal(stun.read_address(answer.get(stun.ALTERNATE_SERVER)), ("192.0.2.7", 3479), "ALTERNATE-SERVER")
    eventually(lambda: relay.http("/ready")[0] == 503, "/ready is 503 while draining")
    talks(client, peer)


@case()
def drain_without_calls_leaves_at_once(t):
    relay = t.relay()
    relay.signal(signal.SIGTERM)
    equal(relay.wait(2), 0, "exit status")


@case(engines=("epoll",), shards=(1,))
def the_time_to_drain_can_be_changed_while_it_drains(t):
    relay = t.relay()
    t.call(relay)
    drain(relay)
    reload(relay, {"admin": {"drain_timeout": 1}})
    equal(relay.wait(4), 0, "exit status")
    relay.wait_for_log("the drain timeout has passed; 1 live allocation ends")


@case()
def drain_timeout_ends_it(t):
    relay = t.relay(admin={"drain_timeout": 1})
    t.call(relay)
    started = time.monotonic()
    drain(relay)
    equal(relay.wait(4), 0, "exit status")
    elapsed = time.monotonic() - started
    assert 0.8 < elapsed < 2, f"left after {elapsed:.2f} s"


@case()
def second_sigterm_leaves_at_once(t):
    relay = t.relay()
    t.call(relay)
    drain(relay)
    time.sleep(0.3)
    equal(relay.alive, True, "alive while a call goes on")
    relay.signal(signal.SIGTERM)
    equal(relay.wait(2), 0, "exit status")
