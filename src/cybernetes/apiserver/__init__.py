"""Serves the Kubernetes API from a store.

enters   Request values (`ApiServer.handle`); the store's batches
leaves   Response values; transactions on the store
promised an acknowledged write is on disk; reads see every write acknowledged before; a watch gives every
         event once, in order, or ends with an error
fails    ApiError becomes a Status; EdgeError and bugs become 500, and are logged

    server = ApiServer(store, ServerConfig(client_authorities=..., service_account_key=...), clock, random)
    await server.start()
    http = HttpServer(server.handle)                      # wire.http.server
    await http.listen(host, port, server_context(...))    # wire.http.tls
    ...
    server.begin_shutdown(); await http.stop(grace_s); await server.stop()

request -> chain (filters) -> routing -> handlers, subresources -> write -> store
cache/  what is in the store, as bytes; watches.  render, tables, respond: bytes to answers.
`InProcessTransport(server)` is a client.Transport without a socket, as system:apiserver.
"""
