"""HTTP/1.1 over TLS; the only importer of aiohttp.

message  Request, Response, Duplex, Transport as plain values
server   serves `async (Request) -> Response` on a socket
client   Transport over pooled TLS connections
"""
