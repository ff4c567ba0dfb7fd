"""Control groups of a test's own, with limits, gone with it. Version 1, or 2 where the memory controller is there."""

import os
import pathlib
import re
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
NAME = "uturn-test-{}-{}"
ENTER = 'for group in $1; do echo $$ >"$group/cgroup.procs" || exit 1; done; shift; exec "$@"'


def is_version_2():
    controllers = ROOT / "cgroup.controllers"
    return controllers.exists() and "memory" in controllers.read_text().split()


class Cgroup:
    """memory in bytes; processors as a fraction (0.5) or None."""

    made = 0

    def __init__(self, memory, processors=None):
        Cgroup.made += 1
        name = NAME.format(os.getpid(), Cgroup.made)
        self.version_2 = is_version_2()
        if self.version_2:
            self.memory_group = ROOT / name
            self.groups = [self.memory_group]
            (ROOT / "cgroup.subtree_control").write_text("+memory +cpu")
        else:
            self.memory_group = ROOT / "memory" / name
            self.groups = [self.memory_group] + ([ROOT / "cpu" / name] if processors else [])
        for group in self.groups:
            group.mkdir()
        if self.version_2:
            self.put("memory.max", memory)
            self.put("memory.swap.max", 0, needed=False)
            self.put("cpu.max", f"{int(processors * 100000)} 100000" if processors else "max")
        else:
            # Sockets' buffers have an account of their own here, which exists once it has a limit.
            self.put("memory.kmem.tcp.limit_in_bytes", memory)
            self.put("memory.limit_in_bytes", memory)
            if processors:
                (self.groups[1] / "cpu.cfs_quota_us").write_text(str(int(processors * 100000)))

    def put(self, file, value, needed=True):
        try:
            (self.memory_group / file).write_text(str(value))
        except OSError:
            if needed:
                raise

    def get(self, file):
        return (self.memory_group / file).read_text()

    @property
    def prefix(self):
        """Put in front of a command: runs it in here."""
        return ["/bin/sh", "-c", ENTER, "enter", " ".join(map(str, self.groups))]

    def usage(self):
        return int(self.get("memory.current" if self.version_2 else "memory.usage_in_bytes"))

    def peak(self):
        return int(self.get("memory.peak" if self.version_2 else "memory.max_usage_in_bytes"))

    def socket_peak(self):
        return None if self.version_2 else int(self.get("memory.kmem.tcp.max_usage_in_bytes"))

    def kills(self):
        """How often the kernel killed something in here for want of memory."""
        text = self.get("memory.events" if self.version_2 else "memory.oom_control")
        return int(re.search(r"^oom_kill (\d+)", text, re.MULTILINE)[1])

    def limit_hits(self):
        if self.version_2:
            return int(re.search(r"^max (\d+)", self.get("memory.events"), re.MULTILINE)[1])
        return int(self.get("memory.failcnt"))

    def delete(self):
        for group in self.groups:
            for _ in range(100):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.05)
