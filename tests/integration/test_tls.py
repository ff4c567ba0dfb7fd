"""TLS with OpenSSL and GnuTLS: versions, ciphers, ALPN, names, resumption, key updates, renegotiation."""

import os
import socket
import ssl

from cryptography import x509

import stun
from harness import case, equal, eventually
from stream_client import tls_context
from streams import Streams, talks

BINDING = stun.encode(stun.BINDING, stun.REQUEST, [])
V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CIPHERS = ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
SERVED_12 = [f"ECDHE-{kind}-{cipher}" for kind in ("ECDSA", "RSA") for cipher in CIPHERS]
SERVED_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
REFUSED = ("ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256")


def binds(client):
    """A Binding is answered."""
    client.transmit_bytes(BINDING)
    got = client.take(3)
    assert got is not None and stun.Message(got[0]).kind == stun.SUCCESS, "no answer to a Binding request"


def each_kind(t):
    for kind in ("ecdsa", "rsa"):
        yield kind.upper(), Streams(t, kind=kind)


@case()
def serves_the_ciphers_that_it_names(t):
    for kind, streams in each_kind(t):
        talked = 0
        for cipher in SERVED_13:
            client = streams.openssl("-tls1_3", "-ciphersuites", cipher)
            binds(client)
            talked += 1
        for cipher in SERVED_12:
            if kind not in cipher:
                continue
            client = streams.client("tls", tls=tls_context(streams.authority.file, most=V12, ciphers=cipher))
            equal(client.sock.cipher()[0], cipher, "cipher")
            talks(client, *streams.begin_call(client)[:1])
        equal(streams.sum("handshakes_total", version="TLSv1.3"), talked, "handshakes of TLS 1.3")
        equal(streams.sum("handshakes_total", version="TLSv1.2"), 3, "handshakes of TLS 1.2")


def handshake_fails(streams, **options):
    try:
        streams.client("tls", tls=tls_context(None, **options))
    except (ssl.SSLError, ConnectionError):
        return
    raise AssertionError(f"a handshake with {options} succeeded")


@case()
def refuses_old_versions_and_weak_ciphers(t):
    for _, streams in each_kind(t):
        for number, cipher in enumerate(REFUSED, 1):
            handshake_fails(streams, most=V12, ciphers=cipher + ":@SECLEVEL=0")
            streams.wait_for("handshakes_failed_total", number, reason="cipher")
        for number, version in enumerate((ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1), 1):
            handshake_fails(streams, least=ssl.TLSVersion.TLSv1, most=version, ciphers="ALL:@SECLEVEL=0")
            streams.wait_for("handshakes_failed_total", number, reason="version")
        equal(streams.sum("connections_ended_total", reason="handshake"), len(REFUSED) + 2, "ended connections")
        streams.wait_for("connections", 0, listener="tls")


@case()
def serves_gnutls(t):
    streams = Streams(t)
    for priority in (
        "NORMAL",
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519",
        "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305",
        "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM",
    ):
        client = streams.gnutls(priority)
        peer, _ = streams.begin_call(client, channel=0x4000)
        talks(client, peer, 0x4000)
        client.close()


@case()
def a_client_that_distrusts_is_counted(t):
    streams, other = Streams(t), Streams(t)
    try:
        streams.client("tls", tls=tls_context(other.authority.file))
        raise AssertionError("trusted")
    except ssl.SSLCertVerificationError:
        pass
    streams.wait_for("handshakes_failed_total", 1, reason="alert")
    streams.wait_for("connections", 0, listener="tls")


@case()
def agrees_on_the_protocol(t):
    streams = Streams(t)
    for most in (V12, V13):
        for offered, agreed in (
            (("stun.turn",), "stun.turn"),
            (("stun.nat-discovery",), "stun.nat-discovery"),
            (("h2", "stun.nat-discovery"), "stun.nat-discovery"),
            (("h2", "http/1.1"), None),
            ((), None),
        ):
            client = streams.client("tls", tls=tls_context(streams.authority.file, most=most, alpn=offered))
            equal(client.sock.selected_alpn_protocol(), agreed, f"protocol for {offered}")
            binds(client)


@case()
def chooses_the_certificate_by_name(t):
    streams = Streams(t, start=False)
    other = streams.authority.identity("turn.example.org", "*.wild.example.org")
    pair = dict(zip(("cert", "key"), other.write(streams.directory, "other")))
    for listener in streams.relay.config["listeners"][2:]:
        listener["certificates"] = [pair]
    streams.relay.start()
    first, second = streams.identity.serial, other.serial
    for name, serial in (
        ("turn.example.com", first),
        ("turn.example.org", second),
        ("TURN.Example.Org", second),
        ("a.wild.example.org", second),
        ("unknown.example.net", first),
        (None, first),
    ):
        client = streams.client("tls", tls=tls_context(None), server_name=name)
        equal(serial_of(client), serial, f"serial number of the certificate for {name}")
        binds(client)
        dtls = streams.client("dtls", server_name=name)
        equal(dtls.tls.get_peer_certificate().get_serial_number(), serial, f"the same over DTLS for {name}")


def serial_of(client):
    return x509.load_der_x509_certificate(client.sock.getpeercert(binary_form=True)).serial_number


@case()
def tickets_are_good_on_every_shard_and_for_other_certificates(t):
    streams = Streams(t)
    resumed = 0
    for most in (V12, V13):
        context = tls_context(streams.authority.file, most=most)
        first = streams.client("tls", tls=context)
        binds(first)
        session = first.sock.session
        assert session.has_ticket, "no ticket"
        for round_ in range(2):
            for _ in range(8):
                client = streams.client("tls", tls=context, session=session)
                equal(client.sock.session_reused, True, f"resumed, round {round_}")
                resumed += 1
                binds(client)
                session = client.sock.session
            if round_ == 0:
                before = streams.sum("config_reloads_total")
                streams.authority.identity().write(streams.directory, "leaf")
                eventually(lambda: streams.sum("config_reloads_total") > before, "the new certificate is noticed")
    equal(streams.sum("handshakes_resumed_total"), resumed, "uturn_handshakes_resumed_total")


@case()
def foreign_tickets_mean_a_full_handshake(t):
    streams, other = Streams(t), Streams(t)
    context = tls_context(None)
    first = other.client("tls", tls=context)
    binds(first)
    client = streams.client("tls", tls=context, session=first.sock.session)
    equal(client.sock.session_reused, False, "resumed")
    binds(client)


@case()
def key_updates_go_unnoticed(t):
    streams = Streams(t)
    client = streams.openssl("-tls1_3")
    peer, _ = streams.begin_call(client, channel=0x4000)
    for letter in "KkKKk":
        client.command_letter(letter)
        for number in range(20):
            talks(client, peer, 0x4000, b"%d" % number * 30, b"%d" % number * 400)
    equal(streams.sum("connections", listener="tls"), 1, "connections")
    equal(streams.sum("records_refused_total"), 0, "records refused")


@case()
def renegotiation_is_refused(t):
    streams = Streams(t)
    beside, peer, _ = streams.call("tls")
    client = streams.openssl("-tls1_2")
    binds(client)
    client.command_letter("R")
    streams.wait_for("records_refused_total", 1, reason="renegotiation")
    talks(beside, peer)


def under_tls(t, client):
    """The socket, for what goes past the client's TLS."""
    raw = socket.socket(fileno=client.sock.detach())
    t.ending(raw.close)
    return raw


@case()
def records_that_were_changed_end_the_connection(t):
    streams = Streams(t)
    beside, peer, _ = streams.call("tls")
    for record, reason in (
        (b"\x17\x03\x03\x00\x20" + bytes(32), "bad_mac"),
        (b"\x17\x03\x03\x48\x00" + bytes(100), "oversized"),
        (b"\x17\x03\x03\x00\x05" + bytes(5), "malformed"),
        (b"\x40\x00\x00\x04data", "malformed"),
    ):
        for most in (V12, V13):
            client = streams.client("tls", tls=tls_context(None, most=most))
            binds(client)
            before = streams.sum("records_refused_total")
            under_tls(t, client).sendall(record)
            streams.wait_for("records_refused_total", before + 1)
            assert streams.sum("records_refused_total", reason=reason) > 0, f"not counted as {reason}"
    talks(beside, peer)
    streams.wait_for("connections", 1, listener="tls")


@case()
def half_a_record_at_the_end_harms_nobody(t):
    streams = Streams(t)
    beside, peer, _ = streams.call("tls")
    for cut in (1, 4, 20):
        client = streams.client("tls")
        binds(client)
        raw = under_tls(t, client)
        raw.sendall(b"\x17\x03\x03\x01\x00"[:cut] + bytes(max(0, cut - 5)))
        raw.close()
    streams.wait_for("connections", 1, listener="tls")
    talks(beside, peer)


@case(shards=(1,), spread=True)
def a_client_may_ask_for_small_records(t):
    """RFC 6066 Section 4. OpenSSL ends the connection at a larger one."""
    streams = Streams(t)
    for version in ("-tls1_2", "-tls1_3"):
        client = streams.openssl(version, "-maxfraglen", "512")
        peer, _ = streams.begin_call(client, channel=0x4000)
        for size in (300, 1200, 65000):
            talks(client, peer, 0x4000, back=os.urandom(size))
