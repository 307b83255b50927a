"""Approves, signs and forgets CertificateSigningRequests.

enters   requests; the cluster's certificate authority; the API server's word on who may ask
leaves   conditions Approved and Failed, certificates, deletions of old requests; the authority of the API server as a bundle
holds    only requests of nodes for themselves and their components, or by those who may ask for nodes, are approved
         by themselves; no node gets a serving certificate for another's address;
         a signer signs only what its rules allow
fails    a request that breaks its signer's rules is marked Failed for good
start    loop.Approver.sync, loop.Signer.sync, loop.Cleaner.run; bundle.BundlePublisher.sync
"""
