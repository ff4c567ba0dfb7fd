"""Under the seccomp profiles that Kubernetes gives a pod: RuntimeDefault, and the one that is shipped for io_uring."""

import pathlib
import re

from harness import case, equal
from streams import TRANSPORTS, Streams, talks

PROFILE = pathlib.Path(__file__).resolve().parents[2] / "k8s/seccomp/uturn.json"
RINGS = "io_uring_setup,io_uring_enter,io_uring_register"


def under(profile_options=()):
    return ["/usr/bin/python3", str(pathlib.Path(__file__).with_name("seccomp_profile.py")), *profile_options, str(PROFILE)]


# containerd and Docker refuse with EPERM, Podman and CRI-O with ENOSYS.
RUNTIME_DEFAULTS = [under(["--without", RINGS, "--errno", error]) for error in ("EPERM", "ENOSYS")]


def filters(relay):
    """How many seccomp filters each thread is under."""
    return {
        int(re.search(r"^Seccomp_filters:\s+(\d+)", text, re.MULTILINE)[1]) for text in relay._threads("status").values()
    }


def relays(t, relay):
    client, peer, address = t.call(relay)
    client.send(address, b"hello")
    equal(peer.recvfrom(100), (b"hello", client.relayed), "(data, source)")
    peer.sendto(b"and back", client.relayed)
    equal(client.receive().data, b"and back", "data from the peer")


@case(engines=("auto",))
def runtime_default_means_epoll_and_a_warning(t):
    for prefix in RUNTIME_DEFAULTS:
        relay = t.make_relay(prefix=prefix, admin={"engine": "auto"}).start()
        relays(t, relay)
        equal(relay.status()["uturn"]["engine"], "epoll", "engine")
        relay.wait_for_log(r"WARN.*engine epoll: io_uring_setup failed.*refused by a seccomp profile")
        equal(filters(relay), {2}, "filters: the runtime's, and the relay's own")
        relay.stop()


@case(engines=("auto",))
def the_shipped_profile_means_io_uring(t):
    relay = t.make_relay(prefix=under(), admin={"engine": "auto"}).start()
    relays(t, relay)
    equal(relay.status()["uturn"]["engine"], "io_uring", "engine")
    equal(relay.status()["uturn"]["engine_reason"], "io_uring works", "restricted, and with DEFER_TASKRUN")
    equal(filters(relay), {2}, "filters: the profile's, and the relay's own")


@case(engines=("auto",), shards=(1,), timeout=40)
def every_transport_works_under_each(t):
    for prefix in (under(), *RUNTIME_DEFAULTS):
        streams = Streams(t, prefix=prefix)
        for transport in TRANSPORTS:
            client, peer, _ = streams.call(transport)
            talks(client, peer)
        streams.relay.stop()
