"""What else must hold before an object is stored: built-in plugins, in Kubernetes' order.

enters   AdmissionAttributes of one write; cluster state through a Lister
leaves   the object changed in place (mutate), or ApiError (both phases); warnings, audit annotations
holds    every write passes here, whatever the verb or subresource; mutators first, then validators
cost     a write meets only plugins that look at its resource; none reads more than the objects it needs
start    chain.Admission.mutate, chain.Admission.validate; builtin.build lists the plugins

source  Kubernetes documentation "Admission Control in Kubernetes"
"""
