#!/usr/bin/env python3
"""What NATS costs between nodes: delay, CPU for each GB, a stopped node's effect, idle memory.

    benches/nodes/measure.py [PROGRAM]

PROGRAM is the server, target/release/videostream by default. Needs nats-server, from Debian's package.
All processes share this machine, so figures are upper bounds. Prints a table.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else 'target/release/videostream'
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
    def __init__(self, nats=None, name='n'):
        joined = ['--nats', f'nats://127.0.0.1:{nats.port}', '--node', name] if nats else []
        super().__init__([PROGRAM, '--listen', '127.0.0.1:0', *joined])
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
        time.sleep(1)
        print(f'binary: {os.path.getsize(PROGRAM):,} bytes')
        print(f'idle: {alone.resident_mb():.1f} MB, with --nats {origin.resident_mb():.1f} MB')
        print('delay at the publisher\'s node:', delay(load([origin], 8)))
        print('delay at another node:', delay(load([edges[0]], 8, origin)))
        print('delay behind a leaf:', delay(load([beyond], 8, origin)))
        for count in [1, 2, 4]:
            watching = [origin, *edges[:count]]
            all_of_them = [origin, nats, *edges[:count]]
            before = [one.cpu_s() for one in all_of_them]
            streams = 16
            report = load(watching, streams * len(watching), streams=streams)
            spent = [one.cpu_s() - then for one, then in zip(all_of_them, before)]
            published_gb = report['bytes']['total'] / 1e9 / len(watching)
            edge = sum(spent[2:]) / count
            print(
                f'{count} edges, {streams} streams: CPU-s per GB published: publisher node '
                f'{spent[0] / published_gb:.2f}, NATS {spent[1] / published_gb:.2f}, edge '
                f'{edge / published_gb:.2f}; {delay(report)}'
            )
        viewer = subprocess.Popen(
            ['curl', '-s', '-o', '/dev/null', f'http://{edges[1].address}/live/x.webm'])
        time.sleep(1)
        edges[1].signal(signal.SIGSTOP)
        print('delay beside a stopped node:', delay(load([edges[0]], 8, origin)))
        viewer.kill()
        viewer.wait()
        for one in [alone, origin, *edges, beyond, leaf, nats]:
            one.end()


main()
