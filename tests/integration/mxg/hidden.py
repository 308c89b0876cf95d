# SPDX-License-Identifier: MIT
"""Fields that only those readers see who end lines elsewhere than at LF."""
from __future__ import annotations

import email
import email.policy

ID = "mxguard.example.test"
OURS = f"Authentication-Results: {ID}; x-mxguard=pass"
HIDDEN = {
    "cr": f"Subject: x\r{OURS}\n",
    "several": f"Subject: x\v\r{OURS}\n",
    "folded": f"Subject: x\n y\r{OURS};\n\tspf=pass\n",
    "vt": f"Subject: x\v{OURS}\n",
    "fs": f"Subject: x\x1c{OURS}\n",
    "ls": f"Subject: x\u2028{OURS}\n",
    "long": "Subject: x" + "y z" * 6000 + f"\r{OURS}\n",
    "other": f"Authentication-Results: other.example; spf=pass\r{OURS}\n",
}
"""By name: a field with one of ours in it."""
POLICY = email.policy.default
if hasattr(POLICY, "verify_generated_headers"):  # a Python that refuses to write what others write
    POLICY = POLICY.clone(verify_generated_headers=False)


def seen(message: bytes) -> list[str]:
    """The Authentication-Results that Python finds, in what came and in what it writes for it, from bytes or text."""
    first = email.message_from_bytes(message, policy=POLICY)
    text = email.message_from_string(message.decode(), policy=POLICY)
    written = (email.message_from_bytes(first.as_bytes()), email.message_from_string(text.as_string()))
    return [value for each in (first, *written) for value in each.get_all("Authentication-Results", [])]


def shown(field: str) -> str:
    """What is left of it: a field that may itself have to go does, of others only the line's end."""
    run = next(each for each in ("\v\r", "\r", "\v", "\x1c", "\u2028") if each + OURS in field)
    return "" if field.startswith("Auth") else field.replace(run + OURS, OURS)
