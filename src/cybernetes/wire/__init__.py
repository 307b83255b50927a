"""Bytes to values and back: JSON, YAML, protobuf, Tables, HTTP, exec streams, gRPC stubs.

enters   bytes from sockets
leaves   dicts, requests, answers; and bytes again
holds    codecs are pure; each protocol has one asyncio adapter and no other importer of its library
fails    ApiError 400, 406, 413, 415 for what clients send; EdgeError for broken connections
"""
