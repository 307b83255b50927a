"""What every namespace has so that its pods can speak to the API server.

enters   namespaces, service accounts, the ConfigMaps kube-root-ca.crt, Secrets for tokens
leaves   service account `default`; ConfigMap kube-root-ca.crt with the cluster's certificate authority; tokens
holds    both are made again when they are deleted or changed, as long as the namespace is not going
fails    a namespace that started to go in between refuses the creation; that is no failure
start    defaults.ServiceAccountController, root_ca.RootCaPublisher, tokens.TokenSecretController
"""
