"""A line of so many bytes a second from a server to a browser.

    slow-line.py PORT BYTES_PER_SECOND      prints the port that it listens on

Node.js cannot bound what the kernel takes in for a socket: many seconds of a stream, where a line holds
next to nothing.
"""

import socket
import sys
import threading
import time

HELD_BYTES = 8192


def carry(source, sink, rate=None):
    try:
        while data := source.recv(2048):
            sink.sendall(data)
            if rate:
                time.sleep(len(data) / rate)
    except OSError:
        pass
    for each in (source, sink):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def join(near, port, rate):
    far = socket.socket()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HELD_BYTES)
    try:
        far.connect(("127.0.0.1", port))
    except OSError:
        near.close()
        return
    threading.Thread(target=carry, args=(near, far), daemon=True).start()
    carry(far, near, rate)


def main():
    port, rate = int(sys.argv[1]), float(sys.argv[2])
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        near, _ = server.accept()
        threading.Thread(target=join, args=(near, port, rate), daemon=True).start()


main()
