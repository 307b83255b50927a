"""Deletes bootstrap tokens that have expired.

enters   Secrets of type bootstrap.kubernetes.io/token in kube-system; time
leaves   deletions
holds    a token without an expiration stays; one whose expiration can't be read goes, as nobody may use it
fails    a refused deletion is tried again
start    loop.TokenCleaner.sync
"""
