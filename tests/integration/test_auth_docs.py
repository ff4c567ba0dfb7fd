"""docs/AUTH.md: the code in it makes credentials that the relay takes, and what it claims of user names holds."""

import json
import os
import pathlib
import re
import subprocess
import time

import stun
from client import Refused
from harness import PEER, case, equal, eventually
from relay import merged

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "AUTH.md").read_text()
SECRET = 'shared: "s3cret" with $IGNS & blanks'
EPHEMERAL = {"type": "ephemeral", "credentials": {"username": None, "password": None, "secret": SECRET}}


def section(title):
    return re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def code(text, language):
    """The first block of this language."""
    return re.search(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)[1]


@case(timeout=30, shards=(1,))
def its_code_makes_credentials_that_work(t):
    relay = t.relay(auth=EPHEMERAL)
    text = section("Making credentials")
    for language, ending, program in (("js", "mjs", "node"), ("python", "py", "/usr/bin/python3"), ("sh", "sh", "sh")):
        path = os.path.join(t.directory, f"mint.{ending}")
        with open(path, "w") as file:
            file.write(code(text, language))
        done = subprocess.run(
            [program, path, "alice"], env={"PATH": os.environ["PATH"], "TURN_SECRET": SECRET}, capture_output=True, text=True, timeout=20
        )
        equal((done.returncode, done.stderr), (0, ""), f"(status, stderr) of {language}")
        username, password = done.stdout.splitlines()
        assert re.fullmatch(r"\d+:alice", username), username
        assert abs(int(username.split(":")[0]) - time.time() - 3600) < 60, username
        client = t.client(relay, username=username, password=password)
        client.allocate()
        client.permit(PEER)


@case(shards=(1,), engines=("epoll",))
def its_command_fetches_them(t):
    ice = t.port()
    relay = t.relay(auth=EPHEMERAL, admin={"ice_endpoint": f"http://127.0.0.1:{ice}"})
    command = next(line for line in PAGE.splitlines() if line.startswith("curl ")).replace("8088", str(ice))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=10)
    (server,) = json.loads(done.stdout)["iceServers"]
    assert server["username"].endswith(":alice"), server
    t.client(relay, username=server["username"], password=server["credential"]).allocate()


@case(shards=(1,), engines=("epoll",))
def user_names_are_what_its_table_says(t):
    relay = t.relay(auth=EPHEMERAL, admin={"user_quota": 1})
    rows = re.findall(r"^\| (`.*?`) \| (.*?) \|(.*?)\|$", section("User names"), re.MULTILINE)
    assert len(rows) >= 7, rows
    # The table's date has passed when this runs some day.
    later = str(int(time.time()) + 3600)
    counted = {}
    for names, expires, user in rows:
        for name in re.findall(r"`(.*?)`", names):
            username = name.replace("1767225600", later)
            client = t.client(relay, username=username, password=stun.ephemeral_password(SECRET, username))
            user = user.strip("` ")
            if "refused (401)" in expires:
                client.refused(401, client.allocate)
                continue
            own = user.startswith("the whole name")
            try:
                client.allocate()
                assert own or user not in counted, f"{name} is not counted as {user}"
            except Refused as refusal:
                equal((refusal.code, user in counted), (486, True), f"{name}, counted as {user}")
            counted[username if own else user] = True
    equal(len(counted), 4, f"users: {sorted(counted)}")


@case(shards=(1,), engines=("epoll",))
def changes_cut_no_call(t):
    """From static to ephemeral, to another secret, to another realm: calls of each time go on, and new ones need what is new."""
    relay = t.relay()
    credentials = {"username": "user", "password": "pass"}
    calls = [t.call(relay, **credentials)]
    username = f"{int(time.time()) + 3600}:alice"
    other = {**EPHEMERAL, "credentials": {**EPHEMERAL["credentials"], "secret": "another"}}
    for auth, secret in ((EPHEMERAL, SECRET), (other, "another"), ({**other, "realm": "elsewhere"}, "another")):
        before = relay.metrics().sum("uturn_config_reloads_total", result="success")
        relay.write_config(merged(relay.config, {"auth": auth}))
        eventually(lambda: relay.metrics().sum("uturn_config_reloads_total", result="success") > before, "reloaded")
        if secret == SECRET:
            stranger = t.client(relay, **credentials)
            stranger.refused(401, stranger.allocate)
        credentials = {"username": username, "password": stun.ephemeral_password(secret, username)}
        calls.append(t.call(relay, **credentials))
        for client, peer, address in calls:
            client.refresh()
            client.permit(PEER)
            client.send(address, b"still there")
            equal(peer.recv(100), b"still there", "from the client")
    equal(len(calls), 4, "calls")


@case(shards=(1,), engines=("epoll",))
def none_answers_binding_only(t):
    relay = t.relay(auth={"type": "none", "credentials": None})
    client = t.client(relay)
    equal(client.ask(stun.BINDING).kind, stun.SUCCESS, "Binding")
    client.refused(403, client.allocate)
