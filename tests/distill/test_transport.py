"""A request body reaches the server whole and in order, however little the socket accepts at once, over TCP and over
TLS."""

import asyncio
import hashlib
import json
import os
import random
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from chat_server import ChatServer

from distill.client.connection import open_transport
from distill.client.endpoints import proxy_of
from videozoomer.settings.model import Endpoint

CERTIFICATE = Path(__file__).with_name("localhost.pem")


def pieces_of(count, seed=0):
    draw = random.Random(seed)
    return tuple(draw.randbytes(draw.choice((0, 1, 60, 9000))) for _ in range(count))


async def a_slow_server(connections):
    """Takes little at once, with pauses, and answers with the hash of what came."""

    async def serve(reader, writer):
        connections.append(writer)
        while head := await reader.readuntil(b"\r\n\r\n"):
            missing = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            digest = hashlib.sha256()
            while missing:
                part = await reader.read(min(missing, 200_000))
                missing -= len(part)
                digest.update(part)
                await asyncio.sleep(0.002)
            body = json.dumps({"digest": digest.hexdigest()}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    server = await asyncio.start_server(serve, sock=listening, limit=65_536)
    return server, f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


def hashes_of_posts(count):
    """Post three bodies of `count` pieces. Returns the hashes of what was sent and of what arrived, and the number of
    connections."""

    async def post_all():
        connections = []
        server, url = await a_slow_server(connections)
        transport = open_transport(Endpoint(base_url=url))
        try:
            sent = [pieces_of(count, seed) for seed in range(3)]
            answers = [await transport.post(pieces) for pieces in sent]
            arrived = [json.loads(answer.text)["digest"] for answer in answers]
            return [hashlib.sha256(b"".join(pieces)).hexdigest() for pieces in sent], arrived, len(connections)
        finally:
            await transport.close()
            server.close()

    return asyncio.run(post_all())


@pytest.mark.parametrize("count", [1, 40, 2500])
def test_a_body_arrives_unchanged(count):
    sent, arrived, connections = hashes_of_posts(count)
    assert arrived == sent and connections == 1


@pytest.mark.parametrize("accepted", [0, 1, 61, 5000, 70_000])
def test_a_body_arrives_unchanged_however_little_the_socket_accepts(accepted, monkeypatch):
    """The kernel decides how much it takes, so a socket that stops within a piece is simulated."""
    calls = []

    def writev(descriptor, pieces):
        calls.append(descriptor)
        if not accepted:
            raise BlockingIOError
        return os.write(descriptor, b"".join(pieces)[:accepted])

    monkeypatch.setattr(os, "writev", writev)
    sent, arrived, connections = hashes_of_posts(40)
    assert arrived == sent and connections == 1 and len(calls) == 3


@pytest.mark.slow
def test_a_body_goes_over_tls_to_a_server_with_a_trusted_certificate():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    code = (
        "import asyncio, sys; from distill.client.connection import open_transport\n"
        "from distill.client.transport import ask\n"
        "from test_transport import pieces_of; from videozoomer.settings.model import Endpoint\n"
        "async def main():\n"
        "    transport = open_transport(Endpoint(base_url=sys.argv[1]))\n"
        "    try: print((await ask(transport, pieces_of(400), frozenset(), 'k')).kind)\n"
        "    finally: await transport.close()\n"
        "asyncio.run(main())"
    )
    with ChatServer(tls=context) as server:

        def asked(**more):
            path = os.pathsep.join([str(CERTIFICATE.parent), *sys.path])
            return subprocess.run(
                [sys.executable, "-c", code, server.url],
                env=os.environ | {"PYTHONPATH": path} | more,
                capture_output=True,
                text=True,
            )

        assert asked(SSL_CERT_FILE=str(CERTIFICATE)).stdout.strip() == "ok"
        assert server.calls == [b"".join(pieces_of(400))]
        assert asked().stdout.strip() == "connection" and len(server.calls) == 1


def test_the_environment_sets_the_proxy_and_its_exceptions(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:word@proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    monkeypatch.delenv("http_proxy", raising=False)
    assert proxy_of(Endpoint(base_url="https://outside.example/v1")) == "http://user:word@proxy:3128"
    assert proxy_of(Endpoint(base_url="https://inside.example/v1")) is None
    assert proxy_of(Endpoint(base_url="http://outside.example/v1")) is None
