"""Bytes on a socket: frames, and the few payloads of each codec that the raw tests need, built here by hand."""

import json
import socket
import struct

LIMIT_S = 60
CODECS = ("JSON", "MsgPack", "MsgPackBlosc")


def stored(data):
    """A Blosc chunk that holds its data as it is."""
    return bytes((2, 1, 3, 8)) + struct.pack("<III", len(data), max(len(data), 1), len(data) + 16) + data


def plain(codec, payload):
    """The encoded message of a payload: of a Blosc chunk the data that it stores. Only tracebacks are long enough to be compressed."""
    return payload[16:] if codec == "MsgPackBlosc" and payload[2] & 2 else payload


def msgpack(value):
    """Encodes the few kinds of values that the raw tests send."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if 0 <= value < 128 else struct.pack(">Bi", 0xD2, value)
    if isinstance(value, str):
        data = value.encode()
        return (bytes([0xA0 + len(data)]) if len(data) < 32 else struct.pack(">BH", 0xDA, len(data))) + data
    if isinstance(value, dict):
        return bytes([0x80 + len(value)]) + b"".join(msgpack(part) for item in value.items() for part in item)
    return bytes([0x90 + len(value)]) + b"".join(map(msgpack, value))


def encode(codec, value):
    """The payload of a message."""
    if codec == "JSON":
        return json.dumps(value).encode()
    return msgpack(value) if codec == "MsgPack" else stored(msgpack(value))


class Raw:
    """One end of a connection, as bytes."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(LIMIT_S)
        self.received = b""

    @classmethod
    def connect(cls, address):
        host, _, port = address.rpartition(":")
        return cls(socket.create_connection((host, int(port)), timeout=LIMIT_S))

    def send(self, *payloads):
        """Sends frames in one segment."""
        self.socket.sendall(b"".join(struct.pack(">I", len(payload)) + payload for payload in payloads))

    def frame(self):
        """The payload of the next frame; None when the peer closed the connection."""
        while len(self.received) < 4 or len(self.received) < 4 + struct.unpack(">I", self.received[:4])[0]:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.received += data
        size = struct.unpack(">I", self.received[:4])[0]
        payload, self.received = self.received[4 : 4 + size], self.received[4 + size :]
        return payload

    def alive(self, codec):
        """Whether the peer still answers on this connection; what it sent before that is given too."""
        self.send(encode(codec, [0, 99, ["give_back", ["alive"], {}]]))
        answer = plain(codec, encode(codec, [1, 99, "alive"]))
        before = []
        while (payload := self.frame()) is not None:
            if plain(codec, payload) == answer:
                return True, before
            before.append(payload)
        return False, before

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Ends the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
