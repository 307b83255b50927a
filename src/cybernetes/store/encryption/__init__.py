"""Encryption at rest as an EncryptionConfiguration asks for it: which resources, by which providers, in which order.

enters   the text of an apiserver.config.k8s.io/v1 EncryptionConfiguration
leaves   a sealing.Rules for a SealedStore; values in the form that Kubernetes gives them (`k8s:enc:aescbc:v1:KEY:...`)
holds    the first provider of a resource seals, all of them open; what no rule names is as it was before
fails    ConfigError for a configuration that can't be used; EdgeError for a value that can't be opened
start    config.parse -> build.build -> sealing.SealedStore

source   Kubernetes documentation "Encrypting Confidential Data at Rest", "Using a KMS provider for data encryption"
"""
