"""A new configuration while calls go on: by SIGHUP, by a change of the file, by a ConfigMap's swap of links."""

import json
import os
import signal
import threading
import time

import stun
from harness import PEER, case, equal, eventually
from relay import merged


def reloads(relay):
    return relay.metrics().sum("uturn_config_reloads_total")


def reload(relay, changes, good=True):
    """Writes the changed configuration and waits until the relay has looked at it."""
    before = reloads(relay)
    relay.write_config(merged(relay.config, changes))
    relay.signal(signal.SIGHUP)
    eventually(lambda: reloads(relay) > before, "reloaded")
    equal(relay.metrics().sum("uturn_config_last_reload_successful"), int(good), "uturn_config_last_reload_successful")


def talks(client, peer):
    address = peer.getsockname()
    client.send(address, b"out")
    peer.settimeout(1)
    equal(peer.recvfrom(100), (b"out", client.relayed), "(data, source)")
    peer.sendto(b"in", client.relayed)
    packet = client.receive()
    assert packet is not None and packet.data == b"in", f"at the client: {packet}"


NEW_USER = {"auth": {"credentials": {"username": "new", "password": "secret"}}}


@case()
def new_credentials_are_for_new_allocations(t):
    relay = t.relay()
    client, peer, _ = t.call(relay)
    reload(relay, NEW_USER)
    client.refresh()
    client.permit(PEER)
    talks(client, peer)
    late = t.client(relay)
    late.refused(401, late.allocate)
    t.client(relay, username="new", password="secret").allocate()


@case(spread=True)
def a_new_secret_in_front_of_the_old_one_refuses_nobody(t):
    ice = t.port()

    def secrets(*, now, **more):
        return {"auth": {"type": "ephemeral", "credentials": {"username": None, "password": None, "secret": now, **more}}}

    def made_with(secret):
        username = f"{int(time.time()) + 60}:alice"
        return {"username": username, "password": stun.ephemeral_password(secret, username)}

    relay = t.relay(admin={"ice_endpoint": f"http://127.0.0.1:{ice}"}, **secrets(now="old"))
    client, peer, _ = t.call(relay, **made_with("old"))
    reload(relay, secrets(now="new", accepted_secrets=["old"]))
    client.refresh()
    client.permit(PEER)
    talks(client, peer)
    for secret in ("old", "new"):
        t.client(relay, **made_with(secret)).allocate()
    equal(relay.metrics().sum("uturn_auth_accepted_secrets_total"), 1, "made with the old one since")
    got = json.loads(relay.http("/?service=turn", ice)[2])
    equal(got["password"], stun.ephemeral_password("new", got["username"]), "password that is handed out")
    reload(relay, secrets(now="new", accepted_secrets=None))
    late = t.client(relay, **made_with("old"))
    late.refused(401, late.allocate)
    talks(client, peer)


@case()
def a_change_of_the_file_is_noticed(t):
    relay = t.relay()
    relay.write_config(merged(relay.config, NEW_USER))
    eventually(lambda: reloads(relay) >= 1, "reloaded without a signal")
    t.client(relay, username="new", password="secret").allocate()
    # In place, too, as an editor may do it.
    with open(relay.config_path, "w") as file:
        json.dump(merged(relay.config, {"auth": {"credentials": {"username": "third"}}}), file)
    third = {"username": "third", "password": "secret"}
    eventually(lambda: relay.metrics().sum("uturn_config_last_reload_successful") == 1 and reloads(relay) >= 2, "again")
    t.client(relay, **third).allocate()


@case()
def a_configmap_swap_is_noticed(t):
    relay = t.make_relay()
    volume = os.path.join(t.directory, "volume")
    os.mkdir(volume)

    def version(name, config):
        os.mkdir(os.path.join(volume, name))
        with open(os.path.join(volume, name, "uturn.json"), "w") as file:
            json.dump(config, file)
        os.symlink(name, os.path.join(volume, "..data_tmp"))
        os.rename(os.path.join(volume, "..data_tmp"), os.path.join(volume, "..data"))

    version("..2024_01", relay.config)
    os.symlink("..data/uturn.json", os.path.join(volume, "uturn.json"))
    relay.start(["-c", os.path.join(volume, "uturn.json")])
    client, peer, _ = t.call(relay)
    version("..2024_02", merged(relay.config, NEW_USER))
    eventually(lambda: reloads(relay) >= 1, "reloaded")
    t.client(relay, username="new", password="secret").allocate()
    talks(client, peer)


@case()
def a_removed_route_runs_out_and_is_not_cut(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    reload(relay, {"listener": {"routes": []}})
    talks(client, peer)
    client.refused(403, client.permit, PEER)
    client.refused(403, client.bind, 0x4000, address)
    client.refresh()
    talks(client, peer)
    reload(relay, {"listener": {"routes": ["loopback"]}})
    client.permit(PEER)


@case()
def revoke_cuts_at_once(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    reload(relay, {"listener": {"routes": []}, "revoke": True})
    relay.wait_for_metric("uturn_permissions", 0)
    client.send(address, b"x")
    peer.settimeout(0.15)
    try:
        raise AssertionError(f"relayed: {peer.recv(100)}")
    except TimeoutError:
        pass
    reload(relay, {**NEW_USER, "revoke": True})
    relay.wait_for_metric("uturn_allocations", 0)


@case()
def a_broken_file_changes_nothing(t):
    relay = t.relay()
    client, peer, _ = t.call(relay)
    good = relay.config
    for text in ("{", "[]", '{"version": "uturn/v1", "nonsense": 1}', json.dumps(merged(good, {"admin": {"shards": -1}}))):
        before = reloads(relay)
        relay.write_config(text=text)
        relay.signal(signal.SIGHUP)
        eventually(lambda: reloads(relay) > before, "looked at")
        equal(relay.metrics().sum("uturn_config_last_reload_successful"), 0, f"success of {text[:30]}")
        talks(client, peer)
    assert "nonsense" in relay.log(), "the log does not name the unknown field"
    os.unlink(relay.config_path)
    relay.signal(signal.SIGHUP)
    t.client(relay).allocate()
    relay.write_config(good)
    eventually(lambda: relay.metrics().sum("uturn_config_last_reload_successful") == 1, "good again")
    talks(client, peer)


@case()
def what_cannot_change_is_named_and_kept(t):
    relay = t.relay()
    reload(relay, {"admin": {"shards": 7}, **NEW_USER})
    relay.wait_for_log(r"admin\.shards: \d -> 7 takes a restart")
    # With what could change.
    t.client(relay, username="new", password="secret").allocate()


@case()
def limits_and_ports_follow(t):
    relay = t.relay()
    held = t.client(relay)
    held.allocate()
    reload(relay, {"admin": {"user_quota": 1}})
    more = t.client(relay)
    more.refused(486, more.allocate)
    reload(relay, {"admin": {"user_quota": 2}})
    more.allocate()


@case(timeout=30)
def reloads_under_traffic_lose_nothing(t):
    relay = t.relay()
    client, peer, address = t.call(relay)
    client.bind(0x4000, address)
    stop, seen = threading.Event(), set()

    def echo():
        peer.settimeout(0.2)
        while not stop.is_set():
            try:
                data, source = peer.recvfrom(100)
            except TimeoutError:
                continue
            peer.sendto(data, source)

    thread = threading.Thread(target=echo)
    thread.start()
    number, end = 0, time.monotonic() + 20
    try:
        while number < 400 or reloads(relay) < 5:
            assert time.monotonic() < end, "the reloads did not happen"
            if number % 40 == 20:
                relay.write_config(merged(relay.config, {"auth": {"credentials": {"password": f"pass{number}"}}}))
                relay.signal(signal.SIGHUP)
            client.send_channel(0x4000, b"%d" % number)
            packet = client.receive(1)
            assert packet is not None, f"packet {number} was lost"
            seen.add(packet.data)
            number += 1
    finally:
        stop.set()
        thread.join()
    equal(len(seen), number, "packets")
