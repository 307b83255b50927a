"""HTTP/1.1 over TLS; the only importer of httptools, and beside the kubelet's probes of aiohttp.

message  Request, Response, Duplex, Transport as plain values
server   serves `async (Request) -> Response` on sockets; `connection` is one client's, `reading` and `head` its bytes
client   Transport over pooled TLS connections
"""
