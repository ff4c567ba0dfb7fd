"""aioice, an independent ICE and TURN client: two agents that can only meet through the relay."""

import asyncio

import aioice
from harness import case, equal
from relay import drops


async def connect(relay):
    agents = [
        aioice.Connection(
            ice_controlling=controlling, turn_server=relay.address, turn_username="user", turn_password="pass",
            use_ipv6=False, transport_policy=aioice.TransportPolicy.RELAY,
        )
        for controlling in (True, False)
    ]
    for agent in agents:
        await agent.gather_candidates()
        equal([candidate.type for candidate in agent.local_candidates], ["relay"], "candidates")
    for agent, other in (agents, agents[::-1]):
        await agent.add_remote_candidate(other.local_candidates[0])
        await agent.add_remote_candidate(None)
        agent.remote_username, agent.remote_password = other.local_username, other.local_password
    await asyncio.gather(*(agent.connect() for agent in agents))
    return agents


async def talk(relay):
    one, two = await connect(relay)
    for source, sink in ((one, two), (two, one)):
        for size in (1, 100, 1200):
            await source.send(bytes(size))
            equal(await asyncio.wait_for(sink.recv(), 2), bytes(size), "data")
    metrics = relay.metrics()
    equal(metrics.sum("uturn_allocations"), 2, "allocations")
    # The first probe of one side may come before the permission that the other makes for it.
    equal({lost for lost in drops(metrics) if "drop_no_permission" not in str(lost)}, set(), "drop counters")
    await asyncio.gather(one.close(), two.close())


@case()
def two_agents_connect_through_the_relay(t):
    relay = t.relay()
    asyncio.run(asyncio.wait_for(talk(relay), 15))
    relay.wait_for_metric("uturn_allocations", 0)


@case()
def a_turn_endpoint_carries_datagrams(t):
    from aioice import turn

    relay = t.relay()

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport

        def datagram_received(self, data, address):
            self.transport.sendto(data, address)

    class Collect(asyncio.DatagramProtocol):
        def __init__(self):
            self.queue = asyncio.Queue()

        def datagram_received(self, data, _):
            self.queue.put_nowait(data)

    async def run():
        loop = asyncio.get_running_loop()
        echo, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        transport, collect = await turn.create_turn_endpoint(
            Collect, server_addr=relay.address, username="user", password="pass"
        )
        for number in range(50):
            transport.sendto(b"%d" % number, echo.get_extra_info("sockname"))
            equal(await asyncio.wait_for(collect.queue.get(), 2), b"%d" % number, "echo")
        transport.close()
        echo.close()
        await asyncio.sleep(0.2)

    asyncio.run(run())
    relay.wait_for_metric("uturn_allocations", 0)
