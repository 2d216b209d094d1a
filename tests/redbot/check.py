"""What REDbot, a judge of HTTP answers, thinks of each kind of answer that the server gives.

    python tests/redbot/check.py target/debug/videostream

REDbot asks as caches and browsers do: with and without compression, again with the validator, for a
range. A note of level `bad` fails, unless ACCEPTED names it and says why. Warnings are printed.
"""

import http.client
import multiprocessing
import re
import subprocess
import sys
import threading
from configparser import ConfigParser

import thor
from redbot.resource import HttpResource

JPEG = b"\xff\xd8\xff\xe0 a picture"
SAMPLE = "tests/data/chromium-restart-1.webm"
AUTHORIZED = [("Authorization", "Bearer right")]
GUARDED = ["--publish-key", "right", "--watch-key", "look", "--publisher-timeout", "10min"]
FRIEND = "https://friend.example"

# Notes of level `bad` that are no faults of ours: their class, and why.
ACCEPTED = {}

# Method, address, further request fields, and the status that is to be judged.
ANSWERS = [
    ("GET", "/", [], 200),
    ("GET", "/publish/demo", [], 200),
    ("GET", "/live/demo", [], 200),
    ("GET", "/live/demo?embed", [], 200),
    ("GET", "/assets/watch/watch.js", [], 200),
    ("GET", "/assets/style.css", [], 200),
    ("GET", "/favicon.ico", [], 200),
    ("GET", "/api/streams", [], 200),
    ("GET", "/api/streams", [("Origin", FRIEND)], 200),
    ("GET", "/api/streams/demo", AUTHORIZED, 200),
    ("GET", "/metrics", [], 200),
    ("GET", "/healthz", [], 200),
    ("GET", "/live/demo.jpg", AUTHORIZED, 200),
    ("GET", "/live/demo.webp", AUTHORIZED, 200),
    ("HEAD", "/live/demo.webm", AUTHORIZED, 200),
    ("HEAD", "/", [], 200),
    ("OPTIONS", "/live/demo.jpg", [("Origin", FRIEND)], 204),
    ("GET", "/live/demo/", [], 308),
    ("GET", "/live/.bad", [], 400),
    ("GET", "/live/demo.webm", [], 401),
    ("GET", "/live/demo.jpg", [("Origin", FRIEND)], 401),
    ("PUT", "/live/demo.jpg", [("Origin", "https://foe.example")], 403),
    ("GET", "/nowhere", [], 404),
    ("GET", "/live/demo.mp4", [], 404),
    ("DELETE", "/metrics", [], 405),
]


def start(binary):
    """The server, and its address."""
    options = ["--listen", "127.0.0.1:0", "--allow-origin", FRIEND, *GUARDED]
    server = subprocess.Popen([binary, *options], stdout=subprocess.PIPE, text=True)
    line = server.stdout.readline()
    return server, re.match(r"listening on http://(\S+)", line)[1]


def go_live(address):
    """Has a stream on air, with a poster. What is returned ends it."""
    over = threading.Event()

    def body():
        with open(SAMPLE, "rb") as sample:
            yield sample.read()
        over.wait()

    def publish():
        connection = http.client.HTTPConnection(address)
        connection.request("PUT", "/live/demo.webm", body(), dict(AUTHORIZED), encode_chunked=True)

    threading.Thread(target=publish, daemon=True).start()
    status = None
    while status != 204:
        connection = http.client.HTTPConnection(address)
        connection.request("PUT", "/live/demo.jpg", JPEG, dict(AUTHORIZED))
        status = connection.getresponse().status
    return over.set


def judge(address, method, path, fields):
    """The status, and all notes on the answer and on those to REDbot's own further questions: level,
    name and sentence. In a process of its own, for its event loop runs once."""
    config = ConfigParser()
    config.read_dict({"redbot": {"enable_local_access": "True"}})
    resource = HttpResource(config["redbot"])
    resource.set_request(f"http://{address}{path}", method, fields)
    resource.once("check_done", thor.stop)
    resource.check()
    thor.run()
    if resource.fetch_error:
        raise ValueError(f"{method} {path}: {resource.fetch_error.desc}")
    notes = list(resource.response.notes)
    for further in resource.subreqs.values():
        notes += further.response.notes
    told = [(note.level.name, type(note).__name__, str(note.summary)) for note in notes]
    return int(resource.response.status_code), told


def main():
    server, address = start(sys.argv[1])
    faults = 0
    try:
        processes = multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1)
        end = go_live(address)
        for method, path, fields, expected in ANSWERS:
            status, notes = processes.apply(judge, (address, method, path, fields))
            answer = f"{method} {path} {status}"
            if status != expected:
                print(f"fault: {answer}: expected {expected}")
                faults += 1
            for level, name, summary in notes:
                if level == "BAD" and name not in ACCEPTED:
                    print(f"fault: {answer}: {name}: {summary}")
                    faults += 1
                elif level in ("BAD", "WARN"):
                    print(f"note: {answer}: {name}: {summary}")
        end()
    finally:
        server.terminate()
        server.wait()
    print(f"{len(ANSWERS)} answers, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
