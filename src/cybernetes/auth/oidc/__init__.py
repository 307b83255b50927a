"""Tokens of other issuers: which are believed, by whose keys, and who their bearers are.

enters   an apiserver.config.k8s.io/v1 AuthenticationConfiguration; tokens; keys that issuers publish
leaves   Users
holds    a token counts for one issuer, the one that it names; its algorithm is its key's; keys come over TLS only
fails    ConfigError for a configuration that can't be used; InvalidToken for a token
start    config.parse -> issuer.JwtIssuer.user -> claims.Mapping

source   Kubernetes documentation "Authenticating", Authentication Configuration from a File
"""
