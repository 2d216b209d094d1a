#!/usr/bin/env python3
"""Measures what requests cost the server that wait for a segment.

    benches/caches/waiting.py [BINARY] [REQUESTS]

A publisher sends 2.5 Mbit/s in one GOP that lasts for longer than this (ffmpeg makes it). 10,000 sockets ask
for what comes next, and wait for 20 s. Processor time is that of the server in those 20 s; memory is how much
more is resident than before they came. Everything is on this machine, in a temporary folder, and ends.
"""

import json
import pathlib
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager

ROOT = pathlib.Path(__file__).parents[2]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SECONDS = 20
CLIP_SECONDS = 45


@contextmanager
def running(*command, **options):
    process = subprocess.Popen([str(part) for part in command], **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def make_clip(path):
    picture = f"testsrc2=size=320x180:rate=25:duration={CLIP_SECONDS}"
    noise = "noise=alls=40:allf=t"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-vf", noise, "-c:v", "libvpx", "-g", "99999",
         "-b:v", "2.5M", "-minrate", "2.5M", "-maxrate", "2.5M", "-bufsize", "1M", "-deadline", "realtime",
         "-cpu-used", "16", path],
        check=True,
    )


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.read().decode()


def metric(port, name):
    return float(re.search(rf"^{name} (\S+)$", get(port, "/metrics"), re.M)[1])


def cpu_s(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def ask(port, path, count):
    """Sockets that have sent a request each."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    sockets = []
    while len(sockets) < count:
        batch = [socket.socket() for _ in range(min(500, count - len(sockets)))]
        for one in batch:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        for one in batch:
            one.setblocking(True)
            # Waits until it is connected.
            one.sendall(request)
        sockets += batch
    return sockets


def answered(sockets):
    with selectors.DefaultSelector() as selector:
        for one in sockets:
            selector.register(one, selectors.EVENT_READ)
        return len(selector.select(0))


def measure(binary, clip, file, count):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with running(binary, "--listen", "127.0.0.1:0", **options) as server:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        with running(binary, "push", clip, f"ws://127.0.0.1:{port}/publish/demo", **QUIET):
            opened = None
            while opened is None:
                time.sleep(0.2)
                try:
                    opened = json.loads(get(port, "/live/demo/live.json"))["open"]
                except OSError:
                    continue
            time.sleep(2)
            before = resident(server.pid)
            path = "/live/demo/" + file.format(next=opened + 1, open=opened)
            began = time.monotonic()
            sockets = ask(port, path, count)
            deadline = time.monotonic() + 5
            while metric(port, "videostream_segments_waiting") < count and time.monotonic() < deadline:
                time.sleep(0.1)
            took = time.monotonic() - began
            time.sleep(1)
            spent = cpu_s(server.pid)
            time.sleep(SECONDS)
            spent = cpu_s(server.pid) - spent
            # The ring grows meanwhile, with and without them.
            grown = resident(server.pid) - before
            waiting = metric(port, "videostream_segments_waiting")
            assert waiting == count and answered(sockets) == 0, (waiting, answered(sockets))
            for one in sockets:
                one.close()
            return spent / SECONDS * 100, grown, took


def main():
    args = sys.argv[1:]
    counts = [int(arg) for arg in args if arg.isdigit()]
    count = counts[0] if counts else 10_000
    binaries = [arg for arg in args if not arg.isdigit()]
    binary = binaries[0] if binaries else ROOT / "target/release/videostream"
    print("| requests that wait | for | server's CPU, % of a core | memory, bytes each | to ask, s |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        clip = pathlib.Path(folder) / "one-gop.webm"
        make_clip(clip)
        nothing = None
        for file, wanted in [("{next}.webm", 0), ("{next}.webm", count), ("live.json?after={open}", count)]:
            cpu, grown, took = measure(binary, clip, file, wanted)
            nothing = grown if nothing is None else nothing
            each = f"{(grown - nothing) / wanted:.0f}" if wanted else ""
            name = file.format(next="N", open="N") if wanted else ""
            print(f"| {wanted} | {name} | {cpu:.2f} | {each} | {took:.1f} |", flush=True)


if __name__ == "__main__":
    main()
