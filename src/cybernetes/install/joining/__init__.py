"""Machines that become nodes of a cluster whose control plane is elsewhere.

enters   at the control plane: the cluster's configuration and authority; at the new machine: an address, a token and
         the hash of the authority's key
leaves   objects that let holders of a token join; at the new machine certificates, kubeconfigs and a configuration
holds    nobody may join until somebody is invited; the token is only ever sent to a server whose authority has the
         hash; private keys are made where they are used and never leave that machine
fails    EdgeError that says what to do
start    invitation.invite; cli.join -> discovery.discover -> identity.obtain, authorities.fetch
"""
