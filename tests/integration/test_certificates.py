"""Certificates: every form, changed under live calls, and bad ones."""

import base64
import os
import re
import socket
import ssl
import time

from cryptography import x509

from harness import case, equal, eventually
from relay import merged
from stream_client import StreamClient, tls_context
from streams import TRANSPORTS, Streams, talks
from test_tls import binds, serial_of


def served(streams, transport="tls"):
    """The serial number of the certificate that a new handshake gets."""
    client = streams.client(transport)
    serial = serial_of(client) if transport == "tls" else client.tls.get_peer_certificate().get_serial_number()
    client.close()
    return serial


@case()
def every_form_of_certificate_is_taken(t):
    streams = Streams(t, start=False)
    listeners = {}
    encoded = lambda text: base64.b64encode(text.encode()).decode()
    for name, kind, chain, form in (
        ("tls", "rsa", True, None),
        ("text", "p384", False, lambda text: text),
        ("base64", "ecdsa", True, encoded),
        ("relative", "ecdsa", False, "relative"),
    ):
        identity = streams.authority.identity(kind=kind, chain=chain)
        if form is None:
            cert, key = identity.write(streams.directory, name)
        elif form == "relative":
            cert, key = (os.path.basename(path) for path in identity.write(streams.directory, name))
        else:
            cert, key = form(identity.chain_pem), form(identity.key_pem)
        port = streams.secure[1] if name == "tls" else t.port()
        base = streams.relay.config["listeners"][2]
        listeners[name] = {**base, "name": name, "port": port, "cert": cert, "key": key}, identity
    streams.relay.config["listeners"] = [one for one, _ in listeners.values()]
    streams.relay.start()
    for listener, identity in listeners.values():
        # The client knows the root alone: what stands between comes with the chain.
        client = StreamClient(("127.0.0.1", listener["port"]), tls=tls_context(streams.authority.file))
        t.ending(client.close)
        equal(serial_of(client), identity.serial, f"serial number at {listener['name']}")
        binds(client)


@case()
def a_uri_makes_a_certificate_of_its_own(t):
    relay = t.make_relay()
    port = t.port()
    relay.launch([f"turns://user:pass@127.0.0.1:{port}?transport=tcp"])

    def answers():
        try:
            client = StreamClient(("127.0.0.1", port), tls=tls_context(None), server_name=None)
        except OSError:
            return None
        return client

    client = eventually(answers, "TLS is served")
    t.ending(client.close)
    binds(client)
    names = x509.load_der_x509_certificate(client.sock.getpeercert(binary_form=True)).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "127.0.0.1" in str(names.value), f"names: {names.value}"


@case(timeout=30)
def a_new_certificate_is_taken_up_under_live_calls(t):
    streams = Streams(t)
    calls = [streams.call(transport, channel=0x4000) for transport in TRANSPORTS]
    count = 0

    def talk(times):
        nonlocal count
        for _ in range(times):
            for client, peer, _ in calls:
                talks(client, peer, 0x4000, b"%08d" % count, b"%08d" % count)
            count += 1

    for swap in range(4):
        before = streams.sum("config_reloads_total")
        identity = streams.authority.identity(kind=("ecdsa", "rsa")[swap % 2])
        if swap < 2:
            identity.write(streams.directory, "leaf")
        else:
            changed = [
                {**one, "cert": identity.chain_pem, "key": identity.key_pem} if "cert" in one else one
                for one in streams.relay.config["listeners"]
            ]
            streams.relay.write_config(merged(streams.relay.config, {"listeners": changed}))
            streams.relay.signal(1)
        end = time.monotonic() + 5
        while streams.sum("config_reloads_total") == before:
            talk(5)
            assert time.monotonic() < end, "the new certificate is not noticed"
        talk(20)
        equal(streams.sum("config_last_reload_successful"), 1, "success of the reload")
        equal([served(streams, transport) for transport in ("tls", "dtls")], [identity.serial] * 2, "serial numbers")
    for transport in ("tcp", "tls"):
        equal(streams.sum("connections", listener=transport), 1, f"connections over {transport}")
    for client, _, _ in calls:
        client.refresh()
    equal(streams.sum("allocations"), 4, "allocations")


@case()
def a_handshake_under_way_ends_with_the_certificate_that_it_began_with(t):
    streams = Streams(t)
    sock = socket.create_connection(streams.secure)
    t.ending(sock.close)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = tls_context(streams.authority.file).wrap_bio(incoming, outgoing, server_hostname="turn.example.com")
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    sock.sendall(outgoing.read())
    sock.settimeout(2)
    incoming.write(sock.recv(65536))
    before = streams.sum("config_reloads_total")
    streams.authority.identity().write(streams.directory, "leaf")
    eventually(lambda: streams.sum("config_reloads_total") > before, "the new certificate is noticed")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(65536))
    sock.sendall(outgoing.read())
    streams.wait_for("handshakes_total", 1, version="TLSv1.3")


def settled(streams):
    before = streams.sum("config_reloads_total")
    time.sleep(0.3)
    return streams.sum("config_reloads_total") == before


def lines_since(relay, at):
    return [line for line in relay.log()[at:].splitlines() if " WARN " in line or " ERROR" in line]


@case()
def a_bad_certificate_changes_nothing_and_is_named(t):
    streams = Streams(t)
    client, peer, _ = streams.call("tls")
    good = streams.identity
    other = streams.authority.identity()
    expired, future, weak = (
        streams.authority.identity(**how) for how in ({"first_day": -20, "days": 10}, {"first_day": 3}, {"kind": "rsa1024"})
    )
    for said, cert, key in (
        ("does not (match|belong)", other.chain_pem, good.key_pem),
        ("expired", expired.chain_pem, expired.key_pem),
        ("not valid before", future.chain_pem, future.key_pem),
        ("PEM", "no certificate", good.key_pem),
        ("PEM", good.chain_pem, "no key"),
        ("RSA|weak", weak.chain_pem, weak.key_pem),
    ):
        before, at = streams.sum("config_reloads_total"), len(streams.relay.log())
        for path, text in zip(streams.files, (cert, key)):
            with open(path, "w") as file:
                file.write(text)
        # Between the two, or in the midst of one, the relay may have looked: what counts is what it says in the end.
        eventually(lambda: streams.sum("config_reloads_total") > before, f"looked at ({said})")
        eventually(lambda: settled(streams), f"the last look ({said})")
        equal(streams.sum("config_last_reload_successful"), 0, f"success of the reload ({said})")
        lines = lines_since(streams.relay, at)
        assert any(re.search(said, line) and "listeners[2]" in line for line in lines), f"{said}: {lines}"
        assert good.key_pem.splitlines()[1] not in streams.relay.log(), "a key in the log"
        equal(served(streams), good.serial, f"the certificate that is in use ({said})")
        talks(client, peer)
    before = streams.sum("config_reloads_total")
    os.unlink(streams.files[0])
    streams.relay.signal(1)
    eventually(lambda: streams.sum("config_reloads_total") > before, "looked at (missing)")
    equal(streams.sum("config_last_reload_successful"), 0, "success of the reload (missing)")
    equal(served(streams), good.serial, "the certificate that is in use (missing)")
    new = streams.authority.identity()
    new.write(streams.directory, "leaf")
    eventually(lambda: streams.sum("config_last_reload_successful") == 1, "good again")
    equal(served(streams), new.serial, "the new certificate")
    talks(client, peer)


@case()
def metrics_and_status_tell_when_certificates_expire(t):
    streams = Streams(t, start=False)
    streams.identity = streams.authority.identity(first_day=-1.5, days=40)
    streams.identity.write(streams.directory, "leaf")
    streams.relay.start()
    for listener in ("tls", "dtls"):
        equal(streams.sum("certificate_expiry_timestamp_seconds", listener=listener), streams.identity.expires_s, "expiry")
        equal(streams.sum("certificate_days_to_expiry", listener=listener), 38, "whole days")
    streams.authority.identity(first_day=-1.5, days=12).write(streams.directory, "leaf")
    eventually(lambda: streams.sum("certificate_days_to_expiry", listener="tls") == 10, "the new certificate's days")


@case()
def an_expired_certificate_is_used_at_the_start_only(t):
    streams = Streams(t, start=False)
    expired = streams.authority.identity(first_day=-20, days=10)
    expired.write(streams.directory, "leaf")
    streams.relay.start()
    streams.relay.wait_for_log("expired")
    client = streams.client("tls", tls=tls_context(None))
    equal(serial_of(client), expired.serial, "serial number")
    equal(streams.sum("certificate_days_to_expiry", listener="tls"), 0, "days")
    talks(client, streams.begin_call(client)[0])
