#!/usr/bin/env python3
"""Measures what recording costs, and what a crash loses.

    benches/recording/measure.py [BINARY] [kills] [loop] [repair] [stall]

kills   media that are missing after `kill -9` at 200 random moments, in ms
loop    processor time of the loop's thread with and without recording: 1, 16 and 64 streams
repair  seconds and memory that `repair` takes for 1 GB
stall   delay of live viewers while the disk stands still for 10 s (as root: it makes a file system)

All of them without a word of which. Everything is on this machine, in a temporary folder, and ends.
"""

import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager

ROOT = pathlib.Path(__file__).parents[2]
CLIP = ROOT / "tests/data/chromium-vp8-opus-100ms.webm"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

KILLS = 200
STREAMS_AT_ONCE = 10
LOOP_SECONDS = 12
REPAIR_BYTES = 1_000_000_000
STALL_SECONDS = 10


@contextmanager
def running(*command, **options):
    process = subprocess.Popen([str(part) for part in command], **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def server(binary, *args):
    """Yields the process and its address."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with running(binary, "--listen", "127.0.0.1:0", *args, **options) as process:
        yield process, process.stdout.readline().split()[-1]


def publishers(stack, binary, url, count):
    for number in range(count):
        push = running(binary, "push", "--loop", CLIP, f"{url}/publish/s{number}", **QUIET)
        stack.enter_context(push)


def inspected(binary, file):
    answer = subprocess.run([binary, "inspect", "--json", file], capture_output=True, text=True)
    return json.loads(answer.stdout)


def kills(binary):
    """A viewer saves what it got; the recording should hold the same."""
    missing = []
    while len(missing) < KILLS:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            with ExitStack() as stack:
                process, url = stack.enter_context(server(binary, "--record", folder))
                for number in range(STREAMS_AT_ONCE):
                    saved = folder / f"seen{number}.webm"
                    curl = ("curl", "-sN", f"{url}/live/s{number}.webm", "-o", saved)
                    stack.enter_context(running(*curl))
                time.sleep(0.3)
                publishers(stack, binary, url, STREAMS_AT_ONCE)
                time.sleep(1 + 3 * random.random())
                process.kill()
            with server(binary, "--record", folder):
                time.sleep(0.5)
            for number in range(STREAMS_AT_ONCE):
                seen = inspected(binary, folder / f"seen{number}.webm")
                (recorded,) = (folder / f"s{number}").glob("*.webm")
                recorded = inspected(binary, recorded)
                assert not recorded["errors"] and recorded["duration_ms"], recorded
                missing.append(seen["figures"]["duration_ms"] - recorded["figures"]["duration_ms"])
    missing.sort()
    median, nine = statistics.median(missing), missing[len(missing) * 9 // 10]
    print(f"kills: {len(missing)} recordings miss {median} ms in the median, {nine} in 9 of 10, {missing[-1]} at most")


def loop_ns(pid):
    """Processor time of the thread with the loop: the first."""
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0])


def loop(binary):
    for streams in (1, 16, 64):
        took, memory = {}, {}
        for is_recording in (False, True):
            with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
                args = ("--record", folder) if is_recording else ()
                process, url = stack.enter_context(server(binary, *args))
                publishers(stack, binary, url, streams)
                time.sleep(3)
                before = loop_ns(process.pid)
                time.sleep(LOOP_SECONDS)
                took[is_recording] = (loop_ns(process.pid) - before) / LOOP_SECONDS / 1e6
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                memory[is_recording] = int(re.search(r"VmRSS:\s+(\d+)", status)[1])
        print(
            f"loop: {streams} streams take {took[False]:.1f} ms a second, recorded {took[True]:.1f}"
            f" (x{took[True] / took[False]:.2f}); {memory[False]} KiB, recorded {memory[True]} KiB"
        )


def write_large(file):
    """A recording without an index: 30 frames of 40 KB a second, a keyframe and a Cluster each 2 s."""
    head = (ROOT / "tests/data/chromium-vp8-only-100ms.webm").read_bytes()
    head = head[: head.index(b"\x1f\x43\xb6\x75")]
    noise = os.urandom(1 << 20)
    with open(file, "wb") as out:
        written, frame, opened_ms = out.write(head), 0, 0
        while written < REPAIR_BYTES:
            time_ms, is_keyframe = frame * 33, frame % 60 == 0
            if is_keyframe:
                opened_ms = time_ms
                written += out.write(b"\x1f\x43\xb6\x75\x01" + b"\xff" * 7 + b"\xe7\x88" + time_ms.to_bytes(8, "big"))
            start = frame * 7919 % (1 << 19)
            block = b"\x81" + (time_ms - opened_ms).to_bytes(2, "big") + (b"\x80\x10" if is_keyframe else b"\0\x11")
            block += noise[start : start + 40_000]
            written += out.write(b"\xa3" + (0x10000000 | len(block)).to_bytes(4, "big") + block)
            frame += 1


def repair(binary):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "large.webm"), pathlib.Path(folder, "whole.webm")
        write_large(source)
        os.sync()
        began = time.monotonic()
        (process := subprocess.Popen([binary, "repair", source, target], **QUIET))
        _, status, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        assert status == 0, status
        began = time.monotonic()
        pathlib.Path(folder, "copy.webm").write_bytes(source.read_bytes())
        copy = time.monotonic() - began
        print(f"repair: 1 GB takes {took:.1f} s and {usage.ru_maxrss / 1024:.1f} MiB; a copy of it {copy:.1f} s")


def stall(binary):
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        image, disk = pathlib.Path(folder, "disk.img"), pathlib.Path(folder, "disk")
        disk.mkdir()
        with open(image, "wb") as file:
            file.truncate(512 << 20)
        subprocess.run(["/sbin/mkfs.ext4", "-q", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, disk], check=True)
        stack.callback(subprocess.run, ["umount", "--lazy", disk])
        process, url = stack.enter_context(server(binary, "--record", disk / "recordings"))
        for is_stalled in (False, True):
            load = (binary, "load", f"{url}/live/{is_stalled}", "--viewers", "20", "--publish-rate", "4M")
            load = [*load, "--duration", f"{STALL_SECONDS + 6}s", "--json"]
            with subprocess.Popen(load, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running_load:
                if is_stalled:
                    time.sleep(4)
                    subprocess.run(["/sbin/fsfreeze", "-f", disk], check=True)
                    try:
                        time.sleep(STALL_SECONDS)
                    finally:
                        subprocess.run(["/sbin/fsfreeze", "-u", disk], check=True)
                report = json.loads(running_load.stdout.read())
            words = f"stands still for {STALL_SECONDS} s" if is_stalled else "works"
            print(f"stall: the disk {words}: delay {report['delay_ms']}, {report['skips']} skips")


def main(args):
    measures = {"kills": kills, "loop": loop, "repair": repair, "stall": stall}
    chosen = [name for name in args if name in measures] or list(measures)
    binary = next((arg for arg in args if arg not in measures), str(ROOT / "target/release/videostream"))
    for name in chosen:
        measures[name](binary)


if __name__ == "__main__":
    main(sys.argv[1:])
