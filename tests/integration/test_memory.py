"""Resident memory: small when idle, and a little more for each allocation."""

import resource
import time

from client import Client
from harness import PEER, case

ALLOCATIONS = 4000


@case(shards=(1,), alone=True, timeout=60)
def resident_memory_is_bounded(t):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    relay = t.relay(listener={"min_relay_port": 10000, "max_relay_port": 19999})
    time.sleep(0.5)
    idle = relay.resident_kib()
    # With what a sanitizer holds on top.
    assert idle < 20 * 1024, f"{idle} KiB resident when idle"
    for _ in range(ALLOCATIONS):
        client = Client(relay.address)
        t.ending(client.close)
        client.allocate()
        client.permit(PEER)
    held = relay.resident_kib()
    print(f"idle {idle} KiB, with {ALLOCATIONS} allocations {held} KiB: {(held - idle) / ALLOCATIONS:.2f} KiB each")
    assert (held - idle) / ALLOCATIONS < 2.5, f"{(held - idle) / ALLOCATIONS:.2f} KiB an allocation"
    assert held < 28 * 1024, f"{held} KiB resident with {ALLOCATIONS} allocations (idle {idle})"
