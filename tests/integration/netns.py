"""Network namespaces of a test's own, gone with it."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def unshare():
    """This process leaves the machine's network for an empty one with a working loopback."""
    _check(_libc.unshare(CLONE_NEWNET))
    ip("link", "set", "lo", "up")


class Namespace:
    def __init__(self, name):
        self.name = name
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")

    def delete(self):
        ip("netns", "delete", self.name)

    @contextlib.contextmanager
    def inside(self):
        """Sockets that this thread opens meanwhile belong here, and stay so."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as here:
            _check(_libc.setns(here.fileno(), CLONE_NEWNET))
            try:
                yield self
            finally:
                _check(_libc.setns(home.fileno(), CLONE_NEWNET))


    def connect(self, here, there, mtu=1500):
        """A veth pair from the caller's namespace to this one; addresses with prefix length. What is there reaches us by it."""
        device = "to-" + self.name[-8:]
        ip("link", "add", device, "mtu", str(mtu), "type", "veth", "peer", "name", "out", "mtu", str(mtu), "netns", self.name)
        ip("address", "add", here, "dev", device)
        ip("link", "set", device, "up")
        ip("-n", self.name, "address", "add", there, "dev", "out")
        ip("-n", self.name, "link", "set", "out", "up")
        ip("-n", self.name, "route", "add", "default", "via", here.split("/")[0])
