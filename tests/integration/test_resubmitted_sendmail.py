# SPDX-License-Identifier: MIT
"""sendmail's own ways of sending mail on: aliases, .forward files, and a program that hands it back."""
from __future__ import annotations

from mxg import smtp
from mxg.sendmail import path as sendmail_path
from test_lda_mta import USER
from test_lda_sendmail import guarded, keep, wait_empty  # noqa: F401
from test_resubmitted import FORGED, STRANGER, judge

HERE = "LOCAL_DOMAIN(`local.test')\ndefine(`confFORWARD_PATH', `{folder}/forward')\n"
ADDRESSES = ("192.0.2.1", "127.0.0.1")


def start(guarded, keep, folder, aliases=""):  # noqa: F811
    command, boxes = keep
    return guarded(command, mta={"features": HERE.format(folder=folder), "aliases": aliases,
                                 "addresses": ADDRESSES}), boxes


def test_expansion(guarded, keep, folder):  # noqa: F811
    """Aliases, lists and .forward files add no field."""
    (folder / "members").write_text(f"{USER}\n")
    (folder / "forward").write_text(f"{USER}\n")
    mta, boxes = start(guarded, keep, folder, f"info: {USER}\nlist: :include:{folder}/members\n")
    for to, forged in (("info", FORGED), ("list", STRANGER), ("nobody", FORGED)):
        judge(boxes, f"{to}@local.test", forged)
    mta.sendmail(smtp.message(subject="cron"), "info@local.test")
    boxes.wait("INBOX", 4)
    wait_empty(mta)
    assert mta.bounced() == []


def test_program_that_hands_back(guarded, keep, folder):  # noqa: F811
    """submit.cf's local form on top, below the field of the daemon that took it on loopback."""
    script = folder / "back"
    mta, boxes = start(guarded, keep, folder, f'back: "|{script}"\n')
    script.write_text(f"#!/bin/sh\nexec {sendmail_path()} -C {mta.write_submit_config('nobody')} -oi -f a@b.example {USER}\n")
    script.chmod(0o755)
    for forged in (FORGED, STRANGER):
        judge(boxes, "back@local.test", forged)
    for text in boxes["INBOX"] + boxes["Junk"]:
        assert b"Received: (from nobody@localhost)" in text and text.index(b"[127.0.0.1]") < text.index(b"(from nobody@")
    wait_empty(mta)
    assert mta.bounced() == []
