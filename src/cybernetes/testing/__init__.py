"""A real API server inside of a test process, for whoever tests something that talks to Kubernetes.

enters   a folder for keys; a store, where the one in memory does not do
leaves   an address with credentials, as values, as files, as a kubeconfig
promised the server is the one that clusters run, over TLS on loopback; it is gone when the block or the test session ends
fails    AssertionError when it does not start

In a conftest.py:

    pytest_plugins = ["cybernetes.testing.plugin"]

    def test_my_operator(kubernetes_api, kubeconfig): ...

No controllers run: what they would make (pods of a Deployment, service accounts) a test makes itself, or starts
`cybernetes up --only apiserver,controller-manager,scheduler`.
"""
