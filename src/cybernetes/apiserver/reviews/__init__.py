"""Requests that are questions: who am I, whose token is this, may they do that; and requests for tokens.

enters   a review object; the authenticator, the authorizers, the issuer of tokens
leaves   the same object with its answer in `status`; nothing is stored
start    routes.handlers

source  Kubernetes documentation "Authorization", checking API access; "Authenticating", TokenReview
"""
