# SPDX-License-Identifier: MIT
"""contrib/rsyslog: decisions go through a real rsyslogd into Kafka, for which librdkafka's own stand-in of a broker is
here (Debian has no Kafka): it speaks the protocol on loopback."""
from __future__ import annotations

import contextlib
import glob
import json

import pytest

from mxg import build
from mxg.process import wait_until
from mxg.rsyslog import Rsyslog

kafka = pytest.importorskip("confluent_kafka", reason="python3-confluent-kafka is not installed")
CONFIG = build.ROOT / "contrib/rsyslog/mxguard-kafka.conf"
pytestmark = pytest.mark.skipif(not (Rsyslog.available() and glob.glob("/usr/lib/*/rsyslog/omkafka.so")),
                                reason="rsyslog or rsyslog-kafka is not installed")


class Topic:
    """The stand-in lives as long as this object."""

    def __init__(self, name):
        self.name, self.producer = name, kafka.Producer({"test.mock.num.brokers": 1})
        broker = next(iter(self.producer.list_topics(timeout=120).brokers.values()))
        self.broker = f"{broker.host}:{broker.port}"
        self.consumer = kafka.Consumer({"bootstrap.servers": self.broker, "group.id": "test"})
        self.found = []

    def start(self):
        self.parts = [kafka.TopicPartition(self.name, number, 0)
                      for number in self.producer.list_topics(self.name, timeout=120).topics[self.name].partitions]
        self.consumer.assign(self.parts)

    def read(self, count):
        def more():
            message = self.consumer.poll(1)
            if message is not None and not message.error():
                self.found.append(message.value())
            return len(self.found) >= count
        wait_until(more, f"{count} messages in the topic")

    def held(self):
        return sum(self.consumer.get_watermark_offsets(part, timeout=120)[1] for part in self.parts)


def shipped(topic, folder):
    text = CONFIG.read_text()
    assert text.count('"kafka1.example.com:9092"') == 1 and text.count('topic="mxguard"') == 1 and text.count("/var/spool/rsyslog/") == 1
    return text.replace("kafka1.example.com:9092", topic.broker).replace("/var/spool/rsyslog/", f"{folder}/")


def line(tag, rcpt, before="", behind=""):
    text = json.dumps({"verdict": "direct", "helo": 'x"} {"verdict":"authorized"}', "rcpt": rcpt}, separators=(",", ":"))
    return f"<22>Nov  1 10:00:00 mail {tag}: {before}{text}{behind}\n"


def test_decisions_and_nothing_that_a_client_writes(folder, network):
    ours = [line("mxguard[7]", "1@d.example"), line("mxguard-lda[7]", "2@d.example"), line("dovecot", "3@d.example", "lmtp(4711): "),
            line("dovecot[3]", "4@d.example", "lda(u@d.example)<9><abc>: "), line("dovecot-lda", "5@d.example", "dovecot-lda(u)<9>: Info: ")]
    others = [line("dovecot", "x1", "imap-login: Login failed: user=<", ">"), line("dovecot", "x2", "lmtp(a): Error: "),
              line("mxguard[7]", "x3", "warning: "), line("mxguard[7]", "x4", "", " and more"), line("postfix/smtpd[4]", "x5")]
    topic = Topic("mxguard")
    with contextlib.closing(topic.consumer):
        with Rsyslog(folder / "rsyslog", shipped(topic, folder)) as logger:
            topic.start()
            logger.send("".join([*others, *ours, *others, line("mxguard[7]", "last")]).encode())
            topic.read(len(ours) + 1)
        messages = [json.loads(each) for each in topic.found]
        assert {each["line"]["rcpt"] for each in messages} == {*(f"{number}@d.example" for number in range(1, 6)), "last"}
        assert {(each["host"], each["at"][5:19]) for each in messages} == {("mail", "11-01T10:00:00")}
        assert topic.held() == len(messages)  # what rsyslogd had in hand came to its end with it
