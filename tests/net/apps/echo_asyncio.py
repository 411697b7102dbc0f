"""Sends back what it gets: `serve`, or ADDRESS FILE CLIENTS, which prints hashes of the echoes."""

import asyncio
import hashlib
import sys

PORT = 8000


async def serve_one(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve():
    async with await asyncio.start_server(serve_one, None, PORT) as server:
        await server.serve_forever()


async def echo(address, data):
    """The hash of what comes back."""
    reader, writer = await asyncio.open_connection(address, PORT)

    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    _, got = await asyncio.gather(send(), reader.read())
    writer.close()
    await writer.wait_closed()
    return hashlib.sha256(got).hexdigest()


async def main(address, path, clients):
    with open(path, "rb") as file:
        data = file.read()
    for digest in await asyncio.gather(*(echo(address, data) for _ in range(int(clients)))):
        print(digest)


asyncio.run(serve() if sys.argv[1] == "serve" else main(*sys.argv[1:]))
