# SPDX-License-Identifier: MIT
"""A list of Mailman 3: it takes the mail by LMTP and sends it anew from this host, above the fields that it had."""
from __future__ import annotations

import pathlib
import shutil

import pytest

from mxg.process import Daemon, listening
from test_resubmitted import FORGED, STRANGER, judge, keep, mailboxes  # noqa: F401

LIST, MEMBER, PORT = "list@lists.example.test", "user@example.test", 8024
RUNNERS = pathlib.Path(__file__).parent / "mxg" / "mailman_runners.py"


@pytest.fixture
def mailman(folder):
    """Its runners, as nobody; Debian's mailman3, which comes with half a hundred packages, is not asked for."""
    if not pathlib.Path("/usr/lib/python3/dist-packages/mailman/runners").is_dir():
        pytest.skip("mailman3 is not installed")
    own = folder / "mailman"
    own.mkdir()
    shutil.chown(own, "nobody", "nogroup")
    daemon = Daemon(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "/usr/bin/python3", "-B", str(RUNNERS),
                     str(own), LIST, MEMBER], folder / "mailman.out")
    daemon.start(lambda: listening("127.0.0.1", PORT), "Mailman listens")
    yield daemon
    daemon.stop()


def test_list(mailboxes, mailman):  # noqa: F811
    mta, boxes = mailboxes(main={"relay_domains": "lists.example.test",
                                 "transport_maps": f"inline:{{ lists.example.test=lmtp:[127.0.0.1]:{PORT} }}"})
    for forged in (FORGED, STRANGER):
        judge(boxes, LIST, forged)
    for text in boxes["INBOX"] + boxes["Junk"]:
        assert b"List-Post: <mailto:list@lists.example.test>" in text and text.index(b"[127.0.0.1]") < text.index(b"for <list@")
    mta.wait_empty()
    assert not (mailman.said() or "").count("Traceback")
