"""What tls_blocking.py does, by asyncio, where TLS works on memory and never sees the socket."""

import asyncio
import ssl
import sys


async def serve(port, cert, key, path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with open(path, "rb") as file:
        data = file.read()

    async def serve_one(reader, writer):
        writer.write(len(data).to_bytes(8, "big") + data)
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve_one, "0.0.0.0", int(port), ssl=context) as server:
        await server.serve_forever()


async def fetch(address, port, cert):
    context = ssl.create_default_context(cafile=cert)
    reader, writer = await asyncio.open_connection(address, int(port), ssl=context)
    length = int.from_bytes(await reader.readexactly(8), "big")
    sys.stdout.buffer.write(await reader.readexactly(length))
    writer.close()
    await writer.wait_closed()


asyncio.run(serve(*sys.argv[2:]) if sys.argv[1] == "serve" else fetch(*sys.argv[1:]))
