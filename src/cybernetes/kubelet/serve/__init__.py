"""The kubelet's own HTTPS port, 10250: logs, exec, attach, port-forward, statistics, metrics.

enters   requests, nearly always of the API server on a user's behalf
leaves   container logs; sessions bridged to the runtime's streaming server; numbers
holds    nobody unauthenticated, and nobody that the API server does not allow, gets past `access`
fails    404 and 400 with the words that the API server passes on; 500 when the runtime refuses
"""
