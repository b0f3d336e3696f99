#!/usr/bin/env python3
"""Makes fuzz/seeds/dtls: what real clients say, in the form that the target reads.

OpenSSL's flights are recorded from `openssl s_client` against `openssl s_server`; Chromium's and
Firefox's hellos are written by hand with the cipher suites, groups and extensions that they send.
Needs the openssl command. Run it again only to add to the seeds: keys and randoms are new each
time.
"""

import os
import pathlib
import socket
import struct
import subprocess
import tempfile
import time

FOLDER = pathlib.Path(__file__).parent / "seeds" / "dtls"
PROFILES = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM"


def vector(width, *parts):
    """Bytes behind their length, which has `width` bytes."""
    body = b"".join(parts)
    return len(body).to_bytes(width, "big") + body


def numbers(*values):
    return b"".join(struct.pack(">H", value) for value in values)


def extension(kind, body):
    return numbers(kind) + vector(2, body)


def hello(ciphers, extensions, session=b"", version=0xFEFF):
    """A ClientHello (RFC 6347 §4.2.1) in records of at most 1,200 bytes."""
    body = numbers(0xFEFD) + os.urandom(32) + vector(1, session) + vector(1)
    body += vector(2, numbers(*ciphers)) + vector(1, b"\0") + vector(2, *extensions)
    records = []
    for number, at in enumerate(range(0, len(body), 1_150)):
        part = body[at : at + 1_150]
        message = bytes([1]) + len(body).to_bytes(3, "big") + b"\0\0"
        message += at.to_bytes(3, "big") + len(part).to_bytes(3, "big") + part
        header = b"\x16" + numbers(version) + b"\0\0" + number.to_bytes(6, "big")
        records.append(header + vector(2, message))
    return records


def use_srtp(*profiles):
    return extension(14, vector(2, numbers(*profiles)) + b"\0")


def groups(*values):
    return extension(10, vector(2, numbers(*values)))


def signatures(*values):
    return extension(13, vector(2, numbers(*values)))


def key_shares(*shares):
    each = [numbers(group) + vector(2, os.urandom(size)) for group, size in shares]
    return extension(51, vector(2, *each))


MASTER_SECRET, RENEGOTIATION = extension(23, b""), extension(0xFF01, b"\0")
POINTS, TICKET = extension(11, b"\1\0"), extension(35, b"")


def chromium():
    """BoringSSL with DTLS 1.2 alone."""
    ciphers = (0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC009, 0xC013, 0xC00A, 0xC014, 0x9C, 0x2F, 0x35)
    schemes = (0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601, 0x201)
    parts = [MASTER_SECRET, RENEGOTIATION, groups(29, 23, 24), POINTS, TICKET]
    return hello(ciphers, [*parts, signatures(*schemes), use_srtp(1, 8, 7)])


def chromium_with_1_3():
    """BoringSSL that offers DTLS 1.3 and a post-quantum key: more than one datagram."""
    ciphers = (0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC009, 0xC013, 0x9C, 0x2F)
    schemes = (0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601)
    parts = [MASTER_SECRET, RENEGOTIATION, groups(0x11EC, 29, 23, 24), POINTS]
    parts += [extension(43, vector(1, numbers(0xFEFC, 0xFEFD))), extension(45, b"\1\1")]
    parts += [key_shares((0x11EC, 1_216), (29, 32)), signatures(*schemes), use_srtp(1, 8, 7)]
    return hello(ciphers, parts, version=0xFEFD)


def firefox():
    """NSS that offers DTLS 1.3."""
    ciphers = (0x1301, 0x1303, 0x1302, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC00A, 0xC009, 0xC013)
    schemes = (0x403, 0x503, 0x603, 0x203, 0x804, 0x805, 0x806, 0x401, 0x501, 0x601, 0x201)
    parts = [MASTER_SECRET, RENEGOTIATION, groups(29, 23, 24, 25, 256, 257), POINTS]
    parts += [use_srtp(7, 8, 1, 2), key_shares((29, 32), (23, 65))]
    parts += [extension(43, vector(1, numbers(0xFEFC, 0xFEFD))), signatures(*schemes)]
    parts += [extension(45, b"\1\1"), extension(28, numbers(0x4001))]
    return hello(ciphers, parts, session=os.urandom(32))


def openssl(kind):
    """Flights of an OpenSSL client with a key of `kind`, recorded on their way to a server."""
    relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    relay.bind(("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        server_port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=seed", "-days", "9", *kind]
        keys = ["-keyout", f"{folder}/key", "-out", f"{folder}/certificate"]
        subprocess.run([*command, *keys], check=True, capture_output=True)
        identity = ["-key", f"{folder}/key", "-cert", f"{folder}/certificate", "-dtls1_2"]
        common = [*identity, "-use_srtp", PROFILES]
        null = subprocess.DEVNULL
        quiet = {"stdin": subprocess.PIPE, "stdout": null, "stderr": null}
        server = ["openssl", "s_server", "-Verify", "1", "-accept", f"127.0.0.1:{server_port}"]
        server = subprocess.Popen([*server, *common], **quiet)
        time.sleep(0.5)
        client = ["openssl", "s_client", "-connect", f"127.0.0.1:{relay.getsockname()[1]}"]
        client = subprocess.Popen([*client, *common], **quiet)
        said, source = [], None
        relay.settimeout(1.0)
        try:
            while True:
                datagram, sender = relay.recvfrom(2_048)
                if sender[1] == server_port:
                    relay.sendto(datagram, source)
                else:
                    said.append(datagram)
                    source = sender
                    relay.sendto(datagram, ("127.0.0.1", server_port))
        except TimeoutError:
            pass
        for process in (client, server):
            process.kill()
            process.wait()
    relay.close()
    # The hello is the one message of type 1, perhaps twice where a cookie was asked for.
    is_hello = [datagram[0] == 22 and datagram[13] == 1 for datagram in said]
    hellos = [datagram for datagram, is_it in zip(said, is_hello) if is_it]
    return hellos[:1], [datagram for datagram, is_it in zip(said, is_hello) if not is_it]


def encode(before, between, after):
    """Three lists of datagrams as `Arbitrary` reads the target's `Strangers`: a 1 before each
    element of a list and a 0 behind the last; all datagrams are one piece, of the first kind."""

    def listed(elements):
        return b"".join(b"\1" + element for element in elements) + b"\0"

    def datagram(content):
        return listed([struct.pack("<I", 0) + listed(bytes([byte]) for byte in content)])

    return b"".join(listed(map(datagram, phase)) for phase in (before, between, after))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)

    def write(name, *phases):
        (FOLDER / name).write_bytes(encode(*phases))

    for name, said in (
        ("chromium", chromium()),
        ("chromium_with_1_3", chromium_with_1_3()),
        ("firefox", firefox()),
    ):
        write(f"{name}_before", said, [], [])
        write(f"{name}_between_and_after", [], said, said)
    kinds = (
        ("ecdsa", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("rsa", ["-newkey", "rsa:2048"]),
    )
    for name, kind in kinds:
        said, flight = openssl(kind)
        write(f"openssl_{name}_before", said + flight, [], [])
        write(f"openssl_{name}_between_and_after", [], said + flight, flight)


if __name__ == "__main__":
    main()
