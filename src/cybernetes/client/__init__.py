"""The API server's client, and what every loop builds on it.

enters   calls; a Transport
leaves   objects as dicts; watch events; local state of an informer
holds    an informer's state is the server's as of some revision, and only moves forward
fails    ApiError as the server answered; EdgeError when there was no answer
"""
