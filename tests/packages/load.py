#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load.py PORT PROTOCOL FILE: gateways and spammers deliver without pause until SIGTERM, by PROTOCOL (smtp, lmtp) to
192.0.2.1:PORT. Then FILE says what each got: {"gateway": {"250": n, …}, "spammer": {"550": n, …}, "longest": seconds}; 0 stands
for a connection that failed. Meanwhile FILE.count has the number of replies so far."""
import collections
import json
import os
import signal
import socket
import sys
import threading
import time

SOURCES = {"gateway": "192.0.2.10", "spammer": "203.0.113.66"}
THREADS = 3  # each
stop = threading.Event()


class Client(threading.Thread):
    def __init__(self, kind, port, hello):
        super().__init__(daemon=True)
        self.kind, self.port, self.hello = kind, port, hello
        self.codes, self.longest = collections.Counter(), 0.0

    def reply(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        if not line:
            raise ConnectionError("closed")
        return int(line[:3])

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")
        return self.reply()

    def session(self):
        with socket.create_connection(("192.0.2.1", self.port), 60, (SOURCES[self.kind], 0)) as self.sock:
            self.file = self.sock.makefile("rb")
            if self.reply() != 220:
                raise ConnectionError("not served")
            self.say(f"{self.hello} client.example")
            for _ in range(5):
                if stop.is_set():
                    break
                self.say("MAIL FROM:<a@sender.example>")
                began = time.monotonic()
                self.codes[self.say("RCPT TO:<user@example.test>")] += 1
                self.longest = max(self.longest, time.monotonic() - began)
                self.say("RSET")
                time.sleep(0.01)
            self.say("QUIT")

    def run(self):
        while not stop.is_set():
            try:
                self.session()
            except OSError:
                self.codes[0] += 1
                time.sleep(0.05)


def main():
    port, protocol, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    clients = [Client(kind, port, "LHLO" if protocol == "lmtp" else "EHLO") for kind in SOURCES for _ in range(THREADS)]
    for client in clients:
        client.start()
    while not stop.wait(0.1):
        with open(out + ".new", "w", encoding="ascii") as file:
            print(sum(sum(list(client.codes.values())) - client.codes[0] for client in clients), file=file)
        os.rename(out + ".new", out + ".count")
    for client in clients:
        client.join(70)
    total = {kind: collections.Counter() for kind in SOURCES}
    for client in clients:
        total[client.kind] += client.codes
    with open(out, "w", encoding="ascii") as file:
        json.dump({**total, "longest": round(max(client.longest for client in clients), 2)}, file)


main()
