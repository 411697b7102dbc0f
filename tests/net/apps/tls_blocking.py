"""Sends a file by TLS, with sockets that block: `serve PORT CERT KEY FILE`, which tells each
client its length first; or `ADDRESS PORT CERT`, which prints what it gets.

The server leaves what comes after the handshake to a child; the client loads its OpenSSL when it is
connected.
"""

import os
import socket
import sys


def serve(port, cert, key, path):
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with open(path, "rb") as file:
        data = file.read()
    with socket.create_server(("", int(port))) as listener:
        while True:
            connection = listener.accept()[0]
            with context.wrap_socket(connection, server_side=True) as session:
                if child := os.fork():
                    os.waitpid(child, 0)
                    continue
                session.sendall(len(data).to_bytes(8, "big"))
                session.sendall(data)
                session.recv(1)
                os._exit(0)


def fetch(address, port, cert):
    with socket.create_connection((address, int(port))) as connection:
        import ssl
        context = ssl.create_default_context(cafile=cert)
        with context.wrap_socket(connection, server_hostname=address) as session:
            with session.makefile("rb") as stream:
                data = stream.read(int.from_bytes(stream.read(8), "big"))
    sys.stdout.buffer.write(data)


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    fetch(*sys.argv[1:])
