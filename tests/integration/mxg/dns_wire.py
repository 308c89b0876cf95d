# SPDX-License-Identifier: MIT
"""DNS messages as bytes: just enough to ask, to answer, and to answer wrongly."""
from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass, field

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "OPT": 41, "TLSA": 52, "SPF": 99, "ANY": 255}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5}
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010


@dataclass(frozen=True)
class Record:
    """One resource record; data is the text of a zone file, or the raw bytes."""
    name: str
    type: str
    data: str | bytes
    ttl: int = 300


@dataclass
class Message:
    id: int
    flags: int
    question: tuple[str, str] | None = None
    answers: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)
    udp_size: int = 512
    edns: bool = False

    @property
    def rcode(self) -> int:
        return self.flags & 15


def encode_name(name: str) -> bytes:
    """The uncompressed wire form; NAME may hold \\DDD escapes and ends with or without a dot."""
    wire = b""
    for label in _labels(name):
        if not 0 < len(label) < 64:
            raise ValueError(f"label of {len(label)} bytes in {name!r}")
        wire += bytes([len(label)]) + label
    return wire + b"\0"


def _labels(name: str) -> list[bytes]:
    labels, label, position = [], bytearray(), 0
    while position < len(name):
        char = name[position]
        if char == "\\" and name[position + 1:position + 4].isdigit():
            label.append(int(name[position + 1:position + 4]))
            position += 4
        elif char == "\\":
            label += name[position + 1].encode()
            position += 2
        elif char == ".":
            labels.append(bytes(label))
            label, position = bytearray(), position + 1
        else:
            label += char.encode()
            position += 1
    if label:
        labels.append(bytes(label))
    return [] if labels == [b""] else labels


def decode_name(message: bytes, offset: int) -> tuple[str, int]:
    """The name at OFFSET, lower case as asked, and the offset behind it."""
    labels: list[str] = []
    after = None
    for _ in range(256):
        length = message[offset]
        if length >= 0xC0:
            after = after or offset + 2
            offset = struct.unpack_from("!H", message, offset)[0] & 0x3FFF
        elif length == 0:
            return ".".join(labels) or ".", after or offset + 1
        else:
            raw = message[offset + 1:offset + 1 + length]
            labels.append("".join(chr(byte) if 0x20 < byte < 0x7F and byte not in b".\\"
                                  else f"\\{byte:03d}" for byte in raw))
            offset += 1 + length
    raise ValueError("name too long, or a loop")


def txt(*strings: str | bytes) -> bytes:
    """The data of a TXT record; strings longer than 255 bytes are cut into several."""
    wire = b""
    for string in strings:
        raw = string.encode() if isinstance(string, str) else string
        pieces = [raw[at:at + 255] for at in range(0, len(raw), 255)] or [b""]
        wire += b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return wire


def encode_data(kind: str, data: str | bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(data).packed
    if kind in ("CNAME", "PTR", "NS"):
        return encode_name(data)
    if kind == "MX":
        preference, exchange = data.split()
        return struct.pack("!H", int(preference)) + encode_name(exchange)
    if kind == "SRV":
        *numbers, target = data.split()
        return struct.pack("!3H", *map(int, numbers)) + encode_name(target)
    if kind in ("TXT", "SPF"):
        return txt(data)
    if kind == "SOA":
        first, second, *numbers = data.split()
        return encode_name(first) + encode_name(second) + struct.pack("!5I", *map(int, numbers))
    raise ValueError(f"no text form for {kind}")


def _decode_data(message: bytes, kind: str, start: int, length: int) -> str | bytes:
    raw = message[start:start + length]
    if kind == "A" and length == 4:
        return socket.inet_ntop(socket.AF_INET, raw)
    if kind == "AAAA" and length == 16:
        return socket.inet_ntop(socket.AF_INET6, raw)
    if kind in ("CNAME", "PTR", "NS"):
        return decode_name(message, start)[0]
    if kind == "MX":
        return f"{struct.unpack_from('!H', raw)[0]} {decode_name(message, start + 2)[0]}"
    if kind in ("TXT", "SPF"):
        return _join_strings(raw)
    if kind == "SOA":
        first, offset = decode_name(message, start)
        second, offset = decode_name(message, offset)
        return " ".join([first, second, *map(str, struct.unpack_from("!5I", message, offset))])
    return raw


def _join_strings(raw: bytes) -> str:
    text, offset = b"", 0
    while offset < len(raw):
        text += raw[offset + 1:offset + 1 + raw[offset]]
        offset += 1 + raw[offset]
    return text.decode("latin-1")


def type_number(kind: str) -> int:
    return TYPES[kind] if kind in TYPES else int(kind.removeprefix("TYPE"))


def type_name(number: int) -> str:
    return TYPE_NAMES.get(number, f"TYPE{number}")


def encode_record(record: Record) -> bytes:
    data = encode_data(record.type, record.data)
    return (encode_name(record.name)
            + struct.pack("!HHIH", type_number(record.type), 1, record.ttl, len(data)) + data)


def encode_question(name: str, kind: str) -> bytes:
    return encode_name(name) + struct.pack("!HH", type_number(kind), 1)


def encode_opt(udp_size: int = 1232) -> bytes:
    return b"\0" + struct.pack("!HHIH", TYPES["OPT"], udp_size, 0, 0)


def encode_reply(id: int, flags: int, question: bytes, answers: list[Record],
                 authority: list[Record], edns: bool) -> bytes:
    head = struct.pack("!6H", id, flags, 1 if question else 0, len(answers), len(authority),
                       1 if edns else 0)
    return (head + question + b"".join(map(encode_record, answers))
            + b"".join(map(encode_record, authority)) + (encode_opt() if edns else b""))


def encode_query(id: int, name: str, kind: str, edns: bool = True) -> bytes:
    return (struct.pack("!6H", id, RD | AD, 1, 0, 0, 1 if edns else 0)
            + encode_question(name, kind) + (encode_opt() if edns else b""))


def question_bytes(message: bytes) -> bytes:
    """The question section exactly as it was sent (with the asker's own upper and lower case)."""
    _, offset = decode_name(message, 12)
    return message[12:offset + 4]


def decode(message: bytes) -> Message:
    id, flags, questions, *counts = struct.unpack_from("!6H", message)
    result = Message(id, flags)
    offset = 12
    for _ in range(questions):
        name, offset = decode_name(message, offset)
        result.question = name, type_name(struct.unpack_from("!H", message, offset)[0])
        offset += 4
    for section, count in zip((result.answers, result.authority, None), counts):
        for _ in range(count):
            offset = _decode_record(message, offset, result, section)
    return result


def _decode_record(message: bytes, offset: int, result: Message,
                   section: list[Record] | None) -> int:
    name, offset = decode_name(message, offset)
    number, klass, ttl, length = struct.unpack_from("!HHIH", message, offset)
    offset += 10
    if number == TYPES["OPT"]:
        result.edns, result.udp_size = True, max(512, klass)
    elif section is not None:
        kind = type_name(number)
        section.append(Record(name, kind, _decode_data(message, kind, offset, length), ttl))
    return offset + length
