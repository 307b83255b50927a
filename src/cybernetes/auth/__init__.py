"""Who sends a request, and what may they do.

enters   requests with certificates, tokens and headers; roles and bindings; the nodes' pods
leaves   a User, or 401; a Decision with its reason
holds    without a rule that allows it, nothing is allowed; a credential is checked against live objects
fails    ApiError 401, 403; 400 for impersonation that contradicts itself
start    authn.Authenticator.identify -> impersonation.impersonate -> authz.Chain.decide (privileged, node, rbac)

Pure but for what it reads through a Lister. pki and tokens build and check credentials; files are install's.
"""
