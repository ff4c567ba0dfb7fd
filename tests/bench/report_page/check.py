#!/usr/bin/python3
"""Checks the report's page: makes pages of sample documents and opens them in headless Chromium.

Every sample is opened wide in the light scheme and as on a phone in the dark one. The check fails on errors and warnings of the
console, anything asked of the network, plots that are missing or empty, labels that overlap, a page wider than its window, and words
like NaN or undefined. Needs the package chromium.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import browser  # noqa: E402
import sample  # noqa: E402

VIEWS = (("wide", 1280, False), ("phone", 390, True))
# Sample → plots at least, and words that its page must show.
EXPECTED = {
    "full": (
        30,
        [
            "18 workloads against 4 servers",
            "Memory per idle connection",
            "the server did not resume all of them",
            "up-gro32 (uturn-io_uring: 5 of 5 rounds)",
            "pion was not measured",
            "2 not measured",
            "required ≥ 7.50×",
            "✗ missed",
            "1.65\u00a0KiB",
            "Coturn-4.6.1 'Gorst'",
            "seed 926535",
        ],
    ),
    "interrupted": (
        8,
        [
            "Interrupted: up-gro8",
            "The run failed: up-gro8, coturn: the server (pid 77) ended",
            "kernel.perf_event_paranoid is 3",
            "IRQ_TIME_ACCOUNTING",
            "busy with something else",
            "no round of it was completed",
        ],
    ),
    "odd": (7, [sample.ODD_NAME, "<img src=x onerror=alert(1)>", "damaged contents"]),
    "two": (30, ["Document A", "Document B", "(A)", "(B)", "over a veth pair"]),
    "flood": (3, ["down: peer to client", "System calls per packet"]),
    "remote": (1, ["server at [2001:db8::7]:3478", "not measured", "not on this machine", "--server-pid names it"]),
    "silent": (1, ["Not a single packet arrived", "100\u00a0%", "no packet arrived"]),
    "replay": (3, ["40 calls", "of call.pcap"]),
    "find-max": (3, ["at most 0.1\u00a0% lost", "p99 at most 20\u00a0ms", "✗ out of bounds"]),
    "attack": (2, ["Allocate requests without credentials", "Packets that the call lost"]),
    "bare": (0, ["not measured", "no round of it was completed"]),
    "allocate": (4, ["4,000 held", "Memory when idle"]),
    "connect": (3, ["5,000 idle connections held", "clients over DTLS", "Memory before them"]),
    "handshakes": (1, ["up to 1,000 of each kind", "Lost of a call beside them", "Handshakes beside it"]),
}


class Check:
    def __init__(self):
        self.passed = self.failed = 0

    def note(self, name, wrong):
        self.passed += not wrong
        self.failed += bool(wrong)
        for line in wrong:
            print(f"FAIL {name}: {line}")


def report(program, documents, page):
    return subprocess.run(
        [program, "report", *map(str, documents), "-o", str(page)], capture_output=True, text=True, timeout=30, check=False
    )


def refusals(check, program, folder):
    """What cannot be reported: one line, status 1, nothing written."""
    empty = folder / "empty.json"
    empty.write_text(json.dumps(sample.document()), encoding="utf-8")
    good = folder / "flood-1.json"
    for name, documents, page in (
        ("no results", [empty], folder / "none.html"),
        ("no results beside good ones", [good, empty], folder / "none.html"),
        ("no such folder", [good], folder / "missing" / "none.html"),
        ("a folder for a page", [good], folder),
    ):
        before = sorted(folder.iterdir())
        done = report(program, documents, page)
        wrong = [] if done.returncode == 1 else [f"exit status {done.returncode}"]
        if len(done.stderr.splitlines()) != 1:
            wrong.append(f"not one line: {done.stderr!r}")
        if sorted(folder.iterdir()) != before:
            wrong.append("left something behind")
        check.note(name, wrong)


def page_check(check, chromium, name, page, pictures):
    probe = (HERE / "probe.js").read_text(encoding="utf-8")
    plots_min, words = EXPECTED[name]
    for view, width, dark in VIEWS:
        chromium.open(page.as_uri(), width=width, dark=dark)
        if pictures:
            chromium.picture(pictures / f"{name}-{view}.png")
        seen = chromium.evaluate(probe)
        wrong = chromium.complaints() + seen["wrong"]
        if seen["plots"] < plots_min:
            wrong.append(f"{seen['plots']} plots, expected at least {plots_min}")
        wrong += [f'does not say "{text}"' for text in words if text not in seen["words"]]
        check.note(f"{name}, {view}", wrong)


def toggle_check(check, chromium, page):
    """A server's legend hides it in every plot, and shows it again."""
    chromium.open(page.as_uri())
    counts = chromium.evaluate("""(() => {
          const charts = [...document.querySelectorAll('canvas')].map((canvas) => Chart.getChart(canvas));
          const count = () => charts.flatMap((chart) => chart.data.datasets.filter((_, i) => !chart.isDatasetVisible(i))).length;
          const buttons = document.querySelectorAll('.legend button[data-server="coturn"]');
          return [count(), (buttons[0].click(), count()), (buttons[1].click(), count())];
        })()""")
    wrong = chromium.complaints()
    if counts[0] != 0 or counts[1] < 10 or counts[2] != 0:
        wrong.append(f"hidden at first, after a click, after another: {counts}")
    check.note("hiding a server", wrong)


def paper_check(check, chromium, page, folder):
    chromium.open(page.as_uri(), dark=True)
    chromium.paper(folder / "page.pdf")
    wrong = chromium.complaints()
    if chromium.evaluate("document.documentElement.dataset.print ?? null") is not None:
        wrong.append("the page stays as for paper")
    if (folder / "page.pdf").stat().st_size < 50_000:
        wrong.append("nothing printed")
    check.note("on paper", wrong)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--program", default=str(HERE.parents[2] / "build" / "uturn-bench"))
    parser.add_argument("--pictures", type=pathlib.Path, metavar="DIR", help="keep a picture of every page there, for looking at")
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    check = Check()
    with tempfile.TemporaryDirectory(prefix="report-page-") as name, browser.Browser() as chromium:
        folder = pathlib.Path(name)
        for sample_name, documents in sample.write(folder).items():
            page = folder / f"{sample_name}.html"
            done = report(options.program, documents, page)
            if done.returncode != 0:
                check.note(sample_name, [done.stderr.strip() or f"exit status {done.returncode}"])
                continue
            try:
                page_check(check, chromium, sample_name, page, options.pictures)
            except browser.BrowserError as error:
                check.note(sample_name, [str(error)])
        toggle_check(check, chromium, folder / "full.html")
        paper_check(check, chromium, folder / "full.html", folder)
        refusals(check, options.program, folder)
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
