# SPDX-License-Identifier: MIT
"""contrib/container/Containerfile, step by step in bare systems, without a container engine. MXGUARD_CONTAINER=1 runs it."""
import os
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = ROOT / "contrib" / "container" / "Containerfile"
KNOWN = {"FROM", "COPY", "RUN", "VOLUME", "USER", "ENTRYPOINT", "CMD"}


def steps():
    """(stage, instruction, rest), a continued line as one."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.M))
    stage, found = None, []
    for line in filter(None, text.splitlines()):
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            stage = re.search(r" AS (\w+)$", rest)
            stage = stage[1] if stage else "last"
        found.append((stage, instruction, rest))
    return found


def test_the_recipe_is_of_known_steps():
    found = steps()
    assert {instruction for _, instruction, _ in found} <= KNOWN
    assert [rest.split()[0] for _, instruction, rest in found if instruction == "FROM"] == ["debian:12-slim"] * 2
    for _, instruction, rest in found:
        if instruction == "COPY" and not rest.startswith("--from"):
            assert (ROOT / rest.split()[0]).exists()
    assert [rest for _, instruction, rest in found if instruction == "USER"] == ["mxguard"]


def shell(stage):
    """The stage as lines of shell; the checkout is /mxguard, and /build what both stages see."""
    lines = ["set -e"]
    for where, instruction, rest in steps():
        if where != stage:
            continue
        if instruction == "RUN":
            lines.append(f"( {rest} )")
        elif instruction == "COPY" and rest.startswith("--from=build"):
            source, target = rest.split()[1:]
            lines.append(f"mkdir -p {target} && cp /build{source} {target}")
        elif instruction == "COPY" and rest == ". /src":
            without = " ".join(f"--exclude=./{name}" for name in (ROOT / ".dockerignore").read_text().split())
            lines.append(f"mkdir /src && tar -C /mxguard {without} -c . | tar -x -C /src")
        elif instruction == "COPY":
            source, target = rest.split()
            lines.append(f"mkdir -p $(dirname {target}) && cp -a /mxguard/{source} {target}")
    return lines


@pytest.mark.skipif(not os.environ.get("MXGUARD_CONTAINER"), reason="takes minutes; MXGUARD_CONTAINER=1 runs it")
def test_the_steps_make_an_image_that_serves():
    build = [*shell("build"), "mkdir -p /build/packages", "cp /packages/* /build/packages/"]
    entrypoint = next(rest for _, instruction, rest in steps() if instruction == "ENTRYPOINT")
    entrypoint = re.search(r'"(.*)"', entrypoint)[1]
    last = [*shell("last"), "mkdir -p /etc/mxguard",
            "echo 'mode=\"enforce\"; gateways=({name=\"f\"; allow=\"ip4:192.0.2.10\";});' >/etc/mxguard/mxguard.conf",
            f"setpriv --reuid mxguard --regid mxguard --clear-groups {entrypoint} policy & trap \"kill $!; wait\" EXIT",
            "for i in $(seq 1000); do [ -S /run/mxguard/policy ] && break; sleep 0.1; done",
            "apt-get -qq update && apt-get -qq install -y --no-install-recommends python3-minimal >/dev/null",  # the image has no lists
            "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/run/mxguard/policy\"); "
            "s.sendall(b\"request=smtpd_access_policy\\nprotocol_state=RCPT\\nclient_address=203.0.113.66\\n"
            "recipient=a@example.test\\n\\n\"); print(s.recv(999).decode())'"]
    for lines in (build, last):
        done = subprocess.run(["script/debian", "bookworm", "fresh", f"bash -c {shlex.quote(chr(10).join(lines))}"], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=7200)
        if done.returncode == 77:
            pytest.skip(done.stdout.strip())
        assert done.returncode == 0, done.stdout[-4000:]
    assert "action=550 5.7.1 " in done.stdout
