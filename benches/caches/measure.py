#!/usr/bin/env python3
"""Measures what viewers through a cache cost the server, and how late they are.

    benches/caches/measure.py [BINARY] [10 100 1000] [server varnish nginx]

One stream of 2.5 Mbit/s in GOPs of two seconds. Viewers read segment after segment (`videostream load
--protocol segments`): of the server itself, through Varnish, which gives a segment out as it grows, and
through nginx, which gives it out whole; each with its file in contrib/. Requests are those that reach the
server, its publisher left out. Everything is on this machine, in a temporary folder, and ends.
"""

import getpass
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager

ROOT = pathlib.Path(__file__).parents[2]
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
SECONDS = 10
WAYS = ["server", "varnish", "nginx"]


@contextmanager
def running(*command, **options):
    process = subprocess.Popen([str(part) for part in command], **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shipped(name, replaced):
    text = (ROOT / "contrib" / name).read_text()
    for before, after in replaced:
        assert before in text, before
        text = text.replace(before, after)
    return text


@contextmanager
def varnish(folder, origin):
    port = free_port()
    file = folder / "videostream.vcl"
    file.write_text(shipped("varnish/videostream.vcl", [('.port = "8080"', f'.port = "{origin}"')]))
    command = ["varnishd", "-F", "-j", "none", "-T", "none", "-s", "malloc,256m"]
    command += ["-a", f"127.0.0.1:{port}", "-f", file, "-n", folder / "varnish"]
    with running(*command, **QUIET) as process:
        yield port, process.pid


@contextmanager
def nginx(folder, origin):
    port = free_port()
    site = shipped(
        "nginx/videostream-cache.conf",
        [
            ("listen 80;", f"listen 127.0.0.1:{port};"),
            ("127.0.0.1:8080", f"127.0.0.1:{origin}"),
            ("/var/cache/nginx/live", f"{folder}/cache"),
            ("/var/log/nginx", f"{folder}"),
        ],
    )
    (folder / "site.conf").write_text(site)
    (folder / "main.conf").write_text(
        f"daemon off; user {getpass.getuser()}; pid {folder}/pid; error_log {folder}/main.log;\n"
        "worker_rlimit_nofile 8192; events { worker_connections 4096; }\n"
        f"http {{ access_log off; include {folder}/site.conf; }}\n"
    )
    with running("nginx", "-p", folder, "-c", folder / "main.conf", **QUIET) as process:
        yield port, process.pid


def wait_for(port):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)


def metric(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


def cpu_s(pid):
    """Of a process and its children."""
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        if int(stat.parent.name) == pid or int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(binary, way, viewers, server):
    """One row: what the viewers and the server saw."""
    origin, server_pid = server
    name = f"{way}-{viewers}"
    with ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, pid = origin, None
        if way != "server":
            port, pid = stack.enter_context({"varnish": varnish, "nginx": nginx}[way](folder, origin))
            wait_for(port)
        asked, served = metric(origin, "videostream_requests_total"), cpu_s(server_pid)
        cached, began = cpu_s(pid) if pid else 0, time.monotonic()
        out = subprocess.run(
            [binary, "load", f"http://127.0.0.1:{port}/live/{name}", "--protocol", "segments",
             "--viewers", str(viewers), "--ramp", "2s", "--duration", f"{SECONDS}s", "--json",
             "--publish-rate", "2.5M", "--publish-to", f"ws://127.0.0.1:{origin}/publish/{name}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=110,
        ).stdout
        took = time.monotonic() - began
        # The publisher, and the two looks at the metrics.
        asked = metric(origin, "videostream_requests_total") - asked - 2
        report = json.loads(out)
        delay = report["delay_ms"] or {}
        return [
            way, viewers, f"{asked / took:.1f}",
            f"{delay.get('p50', float('nan')):.0f} / {delay.get('p99', float('nan')):.0f}",
            f"{report['join_ms']['p50']:.0f}", report["failed"] + report["dropped"] + report["invalid"],
            f"{(cpu_s(server_pid) - served) / took * 100:.1f}",
            f"{(cpu_s(pid) - cached) / took * 100:.1f}" if pid else "",
        ]


def main():
    args = sys.argv[1:]
    counts = [int(arg) for arg in args if arg.isdigit()] or [10, 100, 1000]
    ways = [arg for arg in args if arg in WAYS] or WAYS
    others = [arg for arg in args if not arg.isdigit() and arg not in WAYS]
    binary = others[0] if others else ROOT / "target/release/videostream"
    print("| way | viewers | requests/s at the server | delay p50 / p99 ms | join p50 ms | faults "
          "| server's CPU % | cache's CPU % |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with running(binary, "--listen", "127.0.0.1:0", **options) as process:
        origin = int(process.stdout.readline().rsplit(":", 1)[1])
        for way in ways:
            for viewers in counts:
                row = measure(binary, way, viewers, (origin, process.pid))
                print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


if __name__ == "__main__":
    main()
