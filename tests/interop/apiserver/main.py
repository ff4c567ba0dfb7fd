"""The real kube-apiserver judges everything under k8s/. Steps can be named to run only those; without arguments all run."""

import os
import sys
import tempfile
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kubernetes"))
# pylint: disable=wrong-import-position
import kubectl
import manifests
import publishing
import releases
from cluster import Cluster
from tools import Failed


def steps():
    """(name, what it does with the cluster and the renderings)."""
    yield "definitions", lambda cluster, _: manifests.define(cluster)
    yield "manifests", manifests.check
    yield "kubectl", kubectl.check
    yield "publish-address", publishing.check
    yield "helm", releases.check


def main():
    wanted = sys.argv[1:]
    if unknown := set(wanted) - {name for name, _ in steps()}:
        print(f"no such step: {', '.join(unknown)}; there are: {', '.join(name for name, _ in steps())}", file=sys.stderr)
        return 2
    failed = passed = 0
    with tempfile.TemporaryDirectory(prefix="uturn-apiserver-") as folder:
        cluster = Cluster(folder)
        try:
            started = time.monotonic()
            rendered = manifests.renderings()
            cluster.start()
            print(f"        {len(rendered)} renderings, and the API server {time.monotonic() - started:5.1f} s", flush=True)
            for name, step in steps():
                if wanted and name not in (*wanted, "definitions"):
                    continue
                started = time.monotonic()
                try:
                    count = step(cluster, rendered)
                    passed += 1
                    print(f"ok      {name:24} {count:4} checked  {time.monotonic() - started:5.1f} s", flush=True)
                except Exception as error:  # A step that breaks has failed; the others still run.
                    failed += 1
                    print(f"FAILED  {name}\n{error if isinstance(error, Failed) else traceback.format_exc()}", flush=True)
        finally:
            cluster.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
