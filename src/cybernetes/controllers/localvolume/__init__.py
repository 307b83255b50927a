"""Makes volumes for claims: a folder on the node that the scheduler has chosen for the claim's first pod.

enters   claims of classes whose provisioner is `cybernetes.io/local`, nodes
leaves   one PersistentVolume a claim, named pvc-UID, on one node; Events Provisioning, ProvisioningSucceeded,
         ProvisioningFailed
holds    a claim gets one volume, also across a crash: its name follows from the claim
fails    what no try again can mend is an event; a refused write is tried again
start    loop.LocalVolumeController.sync

The node's kubelet makes the folder for the first pod, and removes it and the volume once it is released
(kubelet.local_volumes).
"""
