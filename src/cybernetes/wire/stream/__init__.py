"""Upgraded connections: WebSocket and SPDY/3.1 framing without I/O, channels of remote commands, joining streams."""
