#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""decide.py CONFIG PEER RECIPIENT [MESSAGE]: the smallest whole program in Python that decides.

Exit status: 0 accept, 1 refuse or put aside, 75 defer or trouble."""
import ctypes
import sys

import mxguard

USE = 64
DEFER = 75


def header_of(path):
    """The header block is all that is ever looked at, and of that 256 KiB."""

    def read(_context, check):
        with open(path, "rb") as message:
            block = message.read(256 * 1024)
        status = mxguard.mxguard_check_header(check, block, len(block))
        return status if status < 0 else mxguard.mxguard_check_header_end(check)

    return mxguard.mxguard_read_header(read) if path else mxguard.mxguard_read_header()


def decide(session, peer, recipient, message):
    check = ctypes.POINTER(mxguard.mxguard_check)()
    if mxguard.mxguard_session_check(session, ctypes.byref(check), 0) != mxguard.MXGUARD_ERROR_NONE:
        return DEFER
    mxguard.mxguard_check_set_peer_text(check, peer.encode())
    mxguard.mxguard_check_add_recipient(check, recipient.encode(), None)
    # The setters' own failures, too, end here.
    if mxguard.mxguard_session_decide(session, check, header_of(message), None, -1) != mxguard.MXGUARD_PROGRESS_DONE:
        return DEFER
    line = ctypes.create_string_buffer(4096)
    mxguard.mxguard_check_log_line(check, 0, line, len(line))
    print(line.value.decode())
    action = mxguard.mxguard_check_action(check, 0)
    if action in (mxguard.MXGUARD_ACTION_ACCEPT, mxguard.MXGUARD_ACTION_TAG):
        return 0
    return 1 if action in (mxguard.MXGUARD_ACTION_REJECT, mxguard.MXGUARD_ACTION_QUARANTINE) else DEFER


def main(arguments):
    if len(arguments) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return USE
    config, peer, recipient, message = (*arguments, None)[:4]
    session, trouble = ctypes.POINTER(mxguard.mxguard_session)(), ctypes.create_string_buffer(512)
    if mxguard.mxguard_session_open(ctypes.byref(session), config.encode(), 0, trouble, len(trouble)) < 0:
        print(trouble.value.decode(), file=sys.stderr)
        return DEFER
    try:
        return decide(session, peer, recipient, message)
    finally:
        mxguard.mxguard_session_free(session)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
