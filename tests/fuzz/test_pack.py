#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_pack.py REPLAY-ECHO FOLDER: packed corpora lose nothing, and a damaged one is no test that passes.

REPLAY-ECHO is the replay program with a target that prints its input in hexadecimal."""
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import zlib

ECHO, FUZZ = sys.argv[1], pathlib.Path(sys.argv[2])
NAMED = {"plain": b"one line\n", "empty": b"", "like-a-record": b"3 x\nabc\n", "nul": b"\0\0\n\0"}
UNNAMED = [b"\xff" * 5000, b"\n", b"0\n", bytes(range(256))]


sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("pack", str(FUZZ / "pack"))
program = importlib.util.module_from_spec(importlib.util.spec_from_loader("pack", loader))
loader.exec_module(program)


def pack(*arguments):
    """What it prints; None where it ends in an error."""
    sys.argv = ["pack", *map(str, arguments)]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            program.main()
        except SystemExit:
            return None
    return output.getvalue()


def replay(file):
    """Exit status, and what the target was given."""
    result = subprocess.run([ECHO, file], capture_output=True, text=True)
    return result.returncode, [bytes.fromhex(line) for line in re.findall(r"^= ([0-9a-f]*)$", result.stdout, re.M)]


def with_head(body, count):
    return b"mxguard corpus %d %08x\n" % (count, zlib.crc32(body)) + body


class Pack(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        self.file = self.top / "x.corpus"

    def folder(self, inputs, name="in"):
        folder = self.top / name
        folder.mkdir()
        for called, data in inputs.items():
            (folder / called).write_bytes(data)
        return folder

    def made(self):
        inputs = NAMED | {hashlib.sha1(data).hexdigest(): data for data in UNNAMED}
        self.assertIsNotNone(pack("pack", self.folder(inputs), self.file))
        return inputs

    def refused(self, text):
        self.file.write_bytes(text)
        status, given = replay(self.file)
        self.assertEqual(status, 1, text[:80])
        self.assertIsNone(pack("list", self.file), text[:80])
        return given

    def test_round_trip(self):
        inputs = self.made()
        self.assertIsNotNone(pack("unpack", self.file, self.top / "out"))
        self.assertEqual({file.name: file.read_bytes() for file in (self.top / "out").iterdir()}, inputs)

    def test_replay_is_given_each_input_once(self):
        inputs = self.made()
        self.assertEqual(replay(self.file)[0], 0)
        self.assertEqual(sorted(replay(self.file)[1]), sorted(inputs.values()))

    def test_order_of_adding_does_not_matter(self):
        self.made()
        before = self.file.read_bytes()
        self.file.unlink()
        for file in sorted((self.top / "in").iterdir(), reverse=True):
            self.assertIsNotNone(pack("add", self.file, file))
        self.assertIsNotNone(pack("add", self.file, self.top / "in"))
        self.assertEqual(self.file.read_bytes(), before)

    def test_a_crash_of_libfuzzer_is_added_without_a_name(self):
        self.made()
        name = hashlib.sha1(b"found").hexdigest()
        pack("add", self.file, *self.folder({"crash-" + name: b"found"}, "new").iterdir())
        self.assertIn(f"5 {name}", pack("list", self.file))

    def test_two_inputs_of_one_name_are_refused(self):
        self.made()
        before = self.file.read_bytes()
        self.assertIsNone(pack("add", self.file, self.folder({"plain": b"another"}, "new")))
        self.assertEqual(self.file.read_bytes(), before)

    def test_nothing_to_pack(self):
        self.assertIsNone(pack("pack", self.folder({}), self.file))
        self.assertFalse(self.file.exists())

    def test_merge_keeps_names_and_what_the_target_wants(self):
        """A program in libFuzzer's place: it takes over one input of those that it is given."""
        inputs = self.made()
        wanted = hashlib.sha1(UNNAMED[0]).hexdigest()
        fuzzer = self.top / "fuzzer"
        fuzzer.write_text(f'#!/bin/sh -e\n[ "$1" = -merge=1 ]\ntest -e "$2/plain"\ncp "$3/{wanted}" "$2"\n')
        fuzzer.chmod(0o755)
        new = self.folder({hashlib.sha1(b"found").hexdigest(): b"found"}, "new")
        self.assertIsNotNone(pack("merge", self.file, fuzzer, new))
        self.assertEqual(sorted(replay(self.file)[1]), sorted([*NAMED.values(), inputs[wanted]]))

    def test_damage_is_refused_before_anything_runs(self):
        self.made()
        whole = self.file.read_bytes()
        for text in (b"", b"\n", whole[:-1], whole + b"\n", whole[:40], whole.replace(b"one", b"two"),
                     whole.replace(b"corpus", b"corpse", 1), whole.split(b"\n", 1)[1], with_head(b"", 0)):
            self.assertEqual(self.refused(text), [])

    def test_records_that_lie_are_refused(self):
        for body, count in ((b"3\nab\n", 1), (b"1\nab\n", 1), (b"99999999999999999999\nab\n", 1), (b"-1\nab\n", 1),
                            (b"2", 1), (b"x\nab\n", 1), (b"\nab\n", 1), (b"2\nab\n", 2), (b"2\nab\n1\nx\n", 1)):
            self.refused(with_head(body, count))

    def test_the_kept_corpora(self):
        """They are as this program writes them; else a new input would be a change of everything."""
        files = sorted(FUZZ.glob("*.corpus"))
        self.assertEqual({f"fuzz_{file.stem}.c" for file in files} | {"fuzz_echo.c"},
                         {file.name for file in FUZZ.glob("fuzz_*.c")})
        for file in files:
            out = self.top / file.stem
            self.assertIsNotNone(pack("unpack", file, out))
            self.assertIsNotNone(pack("pack", out, self.file))
            self.assertEqual(self.file.read_bytes(), file.read_bytes(), file)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
