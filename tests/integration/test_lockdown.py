"""What the process gives up after its start, and what it still can."""

import json
import os
import re
import shutil

from harness import case, equal, eventually
from relay import merged
from streams import TRANSPORTS, Streams, talks
from test_certificates import served

KEPT = {"none", "NET_BIND_SERVICE", "NET_ADMIN", "IPC_LOCK", "DAC_READ_SEARCH", "DAC_OVERRIDE"}


def fields(relay, name):
    """The values that its threads have in /proc/PID/task/*/status."""
    return {
        re.search(rf"^{name}:\s+(\S+)", text, re.MULTILINE)[1] for text in relay._threads("status").values()
    }


@case()
def every_thread_is_locked_down_and_status_says_so(t):
    relay = t.relay()
    equal(fields(relay, "NoNewPrivs"), {"1"}, "no new privileges")
    equal(fields(relay, "Seccomp"), {"2"}, "a filter of system calls")
    (capabilities,) = fields(relay, "CapPrm")
    allowed = 1 << 10 | 1 << 12 | 1 << 14 | 1 << 2 | 1 << 1
    equal(int(capabilities, 16) & ~allowed, 0, "capabilities that are of no use")
    equal(fields(relay, "CapInh") | fields(relay, "CapAmb"), {"0" * 16}, "capabilities to pass on")
    report = relay.status()["uturn"]["lockdown"]
    equal(report["mode"], "kill", "mode")
    equal(report["no_new_privileges"], True, "no_new_privileges")
    assert 60 < report["system_calls"] < 140, report
    assert set(report["capabilities"].split(", ")) <= KEPT, report
    relay.wait_for_log(r"locked down: system calls: \d+, others kill the process")
    if report["landlock"] == 0:
        relay.wait_for_log("no Landlock here")


@case(shards=(1,))
def it_can_be_switched_off(t):
    for arguments in ({"admin": {"lockdown": False}}, {"admin": {"lockdown": "off"}}):
        relay = t.relay(**arguments)
        equal(fields(relay, "Seccomp"), {"0"}, "filters of system calls")
        equal(fields(relay, "NoNewPrivs"), {"0"}, "no new privileges")
        equal(relay.status()["uturn"]["lockdown"]["system_calls"], 0, "system calls")
        relay.wait_for_log("not locked down: admin.lockdown is false")
    relay = t.make_relay()
    relay.write_config()
    relay.start(["-c", relay.config_path, "--lockdown", "off"])
    equal(fields(relay, "Seccomp"), {"0"}, "the option wins over the configuration")


def move(identity_files, folder):
    os.makedirs(folder)
    return [shutil.copy(file, folder) for file in identity_files]


def strict_streams(t):
    streams = Streams(t, start=False)
    streams.relay.config["admin"]["lockdown"] = "strict"
    return streams


@case(shards=(1,))
def where_it_is_strict_a_certificate_in_a_new_folder_takes_a_restart_and_is_told_so(t):
    streams = strict_streams(t)
    streams.relay.start()
    if streams.relay.status()["uturn"]["lockdown"]["landlock"] == 0:
        raise AssertionError("this kernel has no Landlock: the test shows nothing")
    elsewhere = move(streams.files, os.path.join(t.directory, "elsewhere"))
    for listener in streams.relay.config["listeners"][2:]:
        listener.update(zip(("cert", "key"), elsewhere))
    streams.relay.write_config()
    streams.relay.wait_for_log(r"elsewhere.*Permission denied")
    streams.relay.wait_for_log(r"files can be read only in the folders .* restart")
    client, peer, _ = streams.call("tls")
    talks(client, peer)


@case(shards=(1,))
def otherwise_a_certificate_may_be_anywhere(t):
    streams = Streams(t)
    elsewhere = move(streams.files, os.path.join(t.directory, "elsewhere"))
    for listener in streams.relay.config["listeners"][2:]:
        listener.update(zip(("cert", "key"), elsewhere))
    streams.relay.write_config()
    streams.relay.wait_for_log("configuration taken up \\(a watched")
    client, peer, _ = streams.call("tls")
    talks(client, peer)


class Volume:
    """A ConfigMap or Secret as the kubelet mounts it: files lead through the link ..data, which a change turns to a new folder."""

    def __init__(self, folder, files):
        self.folder, self.versions = folder, 0
        os.makedirs(folder)
        self.put(files)
        for name in files:
            os.symlink(os.path.join("..data", name), self.path(name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, files):
        before, self.versions = f"..{self.versions}", self.versions + 1
        now = f"..{self.versions}"
        os.mkdir(self.path(now))
        for name, text in files.items():
            with open(os.path.join(self.path(now), name), "w") as file:
                file.write(text)
        os.symlink(now, self.path("..data_tmp"))
        os.rename(self.path("..data_tmp"), self.path("..data"))
        shutil.rmtree(self.path(before), ignore_errors=True)


@case(shards=(1,))
def where_it_is_strict_volumes_of_kubernetes_are_renewed(t):
    streams = strict_streams(t)
    secret = Volume(os.path.join(t.directory, "tls"), {"tls.crt": streams.identity.chain_pem, "tls.key": streams.identity.key_pem})
    for listener in streams.relay.config["listeners"][2:]:
        listener.update(cert=secret.path("tls.crt"), key=secret.path("tls.key"))
    mounted = Volume(os.path.join(t.directory, "etc"), {"uturn.json": json.dumps(streams.relay.config)})
    relay = streams.relay.start(["-c", mounted.path("uturn.json")])
    equal(served(streams), streams.identity.serial, "serial number at the start")
    renewed = streams.authority.identity()
    secret.put({"tls.crt": renewed.chain_pem, "tls.key": renewed.key_pem})
    eventually(lambda: served(streams) == renewed.serial, "the renewed certificate is served")
    mounted.put({"uturn.json": json.dumps(merged(relay.config, {"admin": {"name": "renewed"}}))})
    eventually(lambda: relay.status()["admin"]["name"] == "renewed", "the changed configuration is taken up")


@case(shards=(1,))
def where_it_is_strict_certificates_in_their_folder_and_behind_links_stay_readable(t):
    streams = strict_streams(t)
    # As certbot has it: live/NAME/*.pem lead to archive/NAME/*1.pem, and after a renewal to *2.pem.
    live, archive = (os.path.join(t.directory, name) for name in ("live", "archive"))
    move(streams.files, archive)
    os.makedirs(live)
    links = [os.path.join(live, name) for name in ("cert", "key")]
    for link, file in zip(links, streams.files):
        os.symlink(os.path.join(archive, os.path.basename(file)), link)
    for listener in streams.relay.config["listeners"][2:]:
        listener.update(zip(("cert", "key"), links))
    streams.relay.start()
    renewed = streams.authority.identity()
    files = renewed.write(archive, "second")
    for link, file in zip(links, files):
        os.symlink(file, link + ".new")
        os.rename(link + ".new", link)
    streams.relay.wait_for_log("configuration taken up \\(a watched")
    for transport in TRANSPORTS:
        client, peer, _ = streams.call(transport)
        talks(client, peer)
