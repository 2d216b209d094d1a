#!/usr/bin/env python3
"""What NATS costs between nodes: delay, CPU for each GB, a stopped node's effect, size and idle memory.

    benches/nodes/measure.py [PROGRAM [WITHOUT]]

PROGRAM is the server, target/release/videostream by default; WITHOUT is one that was built with
--no-default-features, to compare its size and memory. Needs nats-server, from Debian's package. All processes
share this machine, so figures are upper bounds. Prints a table. PARTS=delay,cost,stopped has only these
measured; SECONDS_EACH=8 is how long each takes.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else 'target/release/videostream'
WITHOUT = sys.argv[2] if len(sys.argv) > 2 else None
PARTS = os.environ.get('PARTS', 'delay,cost,stopped').split(',')
SECONDS = os.environ.get('SECONDS_EACH', '8')
LIMITS = 'write_deadline: "2s"\nmax_pending: 268435456\n'
NATS = next((path for path in ['/usr/sbin/nats-server'] if os.path.exists(path)), 'nats-server')


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


class Process:
    def __init__(self, command):
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def cpu_s(self):
        stat = pathlib.Path(f'/proc/{self.child.pid}/stat').read_text().rsplit(') ', 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf('SC_CLK_TCK')

    def resident_mb(self):
        pages = int(pathlib.Path(f'/proc/{self.child.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    def signal(self, number):
        self.child.send_signal(number)

    def end(self):
        self.signal(signal.SIGCONT)
        self.child.terminate()
        self.child.wait()


class Nats(Process):
    def __init__(self, folder, lines):
        self.port = free_port()
        path = pathlib.Path(folder, f'nats-{self.port}.conf')
        path.write_text(f'listen: 127.0.0.1:{self.port}\n{LIMITS}{lines}\n')
        super().__init__([NATS, '-c', str(path)])
        for _ in range(100):
            with socket.socket() as one:
                if one.connect_ex(('127.0.0.1', self.port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit('nats-server does not listen')


class Node(Process):
    def __init__(self, nats=None, name='n', program=PROGRAM):
        joined = ['--nats', f'nats://127.0.0.1:{nats.port}', '--node', name] if nats else []
        super().__init__([program, '--listen', '127.0.0.1:0', *joined])
        self.address = self.child.stdout.readline().split('http://')[1].strip()
        time.sleep(0.3)


def load(nodes, viewers, publish_to=None, streams=None):
    """Viewers at these nodes; the publishers are at the first, or at `publish_to`."""
    urls = [f'ws://{node.address}/live/x' for node in nodes]
    command = [PROGRAM, 'load', *urls, '--viewers', str(viewers), '--publish-rate', '2.5M', '--json']
    command += ['--duration', f'{SECONDS}s', '--sample', str(min(viewers, 16)), '--chunk-ms', '100']
    if publish_to:
        command += ['--publish-to', f'ws://{publish_to.address}/publish/x']
    if streams:
        command += ['--streams', str(streams)]
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return json.loads(output.stdout)


def delay(report):
    found = report['delay_ms']
    return f"{found['p50']:.2f} / {found['p99']:.2f} ms, {report['skips']} skips, {report['invalid']} invalid"


def measure_delay(origin, edge, beyond):
    print("delay at the publisher's node:", delay(load([origin], 8)))
    print('delay at another node:', delay(load([edge], 8, origin)))
    print('delay behind a leaf:', delay(load([beyond], 8, origin)))


def measure_cost(origin, nats, edges):
    """One viewer of each stream at each edge, and one at the publishers' node, which has that to do anyway."""
    streams = 32
    for count in [0, 1, 2, 4]:
        watching = [origin, *edges[:count]]
        processes = [origin, nats, *edges[:count]]
        before = [one.cpu_s() for one in processes]
        report = load(watching, streams * len(watching), streams=streams)
        spent = [one.cpu_s() - then for one, then in zip(processes, before)]
        # Each node's viewers have had each stream once.
        published_gb = report['bytes']['total'] / 1e9 / len(watching)
        per_gb = [cpu_s / published_gb for cpu_s in spent]
        words = f'{count} edges: CPU-s per GB published: publisher node {per_gb[0]:.2f}, NATS {per_gb[1]:.2f}'
        if count:
            words += f', each edge {sum(per_gb[2:]) / count:.2f}'
        print(f'{words}; {published_gb:.3f} GB in {streams} streams; delay {delay(report)}')


def measure_stopped(origin, healthy, stopped):
    streams = 32
    print('32 streams, no stopped node: delay', delay(load([origin, healthy], 2 * streams, streams=streams)))
    # It takes all streams in, and then stands still.
    urls = [f'http://{stopped.address}/live/x-{number}.webm' for number in range(1, streams + 1)]
    viewers = [subprocess.Popen(['curl', '-s', '-o', '/dev/null', url]) for url in urls]
    time.sleep(1)
    timer = threading.Timer(2, lambda: stopped.signal(signal.SIGSTOP))
    timer.start()
    print('32 streams, one node stops: delay', delay(load([origin, healthy], 2 * streams, streams=streams)))
    timer.join()
    stopped.signal(signal.SIGCONT)
    for viewer in viewers:
        viewer.kill()
        viewer.wait()


def main():
    with tempfile.TemporaryDirectory() as folder:
        hub_port = free_port()
        store = f'jetstream {{ store_dir: "{folder}/js" }}'
        nats = Nats(folder, f'{store}\nleafnodes {{ listen: 127.0.0.1:{hub_port} }}')
        leaf = Nats(folder, f'leafnodes {{ remotes: [ {{ url: "nats://127.0.0.1:{hub_port}" }} ], reconnect: 1 }}')
        alone = Node()
        origin = Node(nats, 'a')
        edges = [Node(nats, f'e{n}') for n in range(4)]
        beyond = Node(leaf, 'l')
        processes = [alone, origin, *edges, beyond, leaf, nats]
        time.sleep(1)
        sizes = f'binary: {os.path.getsize(PROGRAM):,} bytes'
        idle = f'idle: {alone.resident_mb():.1f} MB, with --nats {origin.resident_mb():.1f} MB'
        if WITHOUT:
            without = Node(program=WITHOUT)
            processes.append(without)
            sizes += f', without NATS {os.path.getsize(WITHOUT):,}'
            idle += f', built without NATS {without.resident_mb():.1f} MB'
        print(sizes)
        print(idle)
        if 'delay' in PARTS:
            measure_delay(origin, edges[0], beyond)
        if 'cost' in PARTS:
            measure_cost(origin, nats, edges)
        if 'stopped' in PARTS:
            measure_stopped(origin, edges[0], edges[1])
        for one in processes:
            one.end()


main()
