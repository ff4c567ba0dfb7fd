"""Where io_uring is forbidden, as Docker (EPERM) and Podman (ENOSYS) forbid it."""

from harness import case, equal

ERRORS = ("EPERM", "ENOSYS")


@case(engines=("auto",))
def auto_falls_back_to_epoll_and_relays(t):
    for error in ERRORS:
        relay = t.make_relay(prefix=[t.tool("noring"), error], admin={"engine": "auto"}).start()
        client, peer, address = t.call(relay)
        client.send(address, b"hello")
        equal(peer.recvfrom(100), (b"hello", client.relayed), "(data, source)")
        metrics = relay.metrics()
        equal(metrics.sum("uturn_engine_info", engine="epoll"), 1, "engine in the metrics")
        relay.wait_for_log(r"engine epoll: .*io_uring")
        relay.stop()


@case(engines=("auto",), shards=(1,))
def auto_takes_io_uring_where_it_works(t):
    relay = t.relay(admin={"engine": "auto"})
    equal(relay.metrics().sum("uturn_engine_info", engine="io_uring"), 1, "engine in the metrics")


@case(engines=("io_uring",))
def forced_io_uring_leaves_with_one_clear_line(t):
    for error in ERRORS:
        relay = t.make_relay(prefix=[t.tool("noring"), error]).launch()
        equal(relay.wait(10), 1, "exit status")
        lines = [line for line in relay.log().splitlines() if "ERROR" in line.upper()]
        equal(len(lines), 1, f"lines of error in {relay.log()!r}")
        assert "io_uring" in lines[0], lines[0]
