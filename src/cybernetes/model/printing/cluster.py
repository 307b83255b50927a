"""How storage, access control, admission, scheduling, certificates, flow control and devices print."""

from __future__ import annotations

from cybernetes.model.printing.formats import (
    AGE,
    NAME,
    NONE,
    UNSET,
    at,
    column,
    count,
    field,
    format_labels,
    format_selector,
    human_duration,
    is_true,
    marked_default,
    number,
    text,
)
from cybernetes.model.resource import Column, Object

# ---- storage -------------------------------------------------------------------------------------------------------

_CLASS = "@storage.v1.StorageClass"
STORAGE_CLASSES = (
    marked_default("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"),
    text("Provisioner", f"{_CLASS}#provisioner", "provisioner"),
    text("ReclaimPolicy", f"{_CLASS}#reclaimPolicy", "reclaimPolicy", default="Delete"),
    text("VolumeBindingMode", f"{_CLASS}#volumeBindingMode", "volumeBindingMode", default="Immediate"),
    field("AllowVolumeExpansion", f"{_CLASS}#allowVolumeExpansion", "allowVolumeExpansion", default=False),
    AGE,
)
VOLUME_ATTRIBUTES_CLASSES = (
    NAME,
    text("DriverName", "Name of the CSI driver This field is immutable.", "driverName"),
    AGE,
)
_ATTACHMENT = "@storage.v1.VolumeAttachmentSpec"
VOLUME_ATTACHMENTS = (
    NAME,
    Column(
        name="Attacher",
        format="name",
        description=f"{_ATTACHMENT}#attacher",
        cell=lambda obj, now: at(obj, "spec", "attacher", default=""),
    ),
    text("PV", "@storage.v1.VolumeAttachmentSource#persistentVolumeName", "spec", "source", "persistentVolumeName"),
    text("Node", f"{_ATTACHMENT}#nodeName", "spec", "nodeName"),
    field(
        "Attached", "@storage.v1.VolumeAttachmentStatus#attached", "status", "attached", default=False, type_="boolean"
    ),
    AGE,
)


def _driver_flag(name: str, part: str, *, default: bool) -> Column:
    return field(name, f"@storage.v1.CSIDriverSpec#{part}", "spec", part, default=default, type_="boolean")


def _audiences(obj: Object, now: float) -> str:
    requests = at(obj, "spec", "tokenRequests", default=())
    return ",".join(each.get("audience", "") for each in requests) or UNSET


CSI_DRIVERS = (
    NAME,
    _driver_flag("AttachRequired", "attachRequired", default=True),
    _driver_flag("PodInfoOnMount", "podInfoOnMount", default=False),
    _driver_flag("StorageCapacity", "storageCapacity", default=False),
    column("TokenRequests", _audiences, "@storage.v1.CSIDriverSpec#tokenRequests"),
    _driver_flag("RequiresRepublish", "requiresRepublish", default=False),
    column(
        "Modes",
        lambda obj, now: ",".join(at(obj, "spec", "volumeLifecycleModes", default=())) or NONE,
        "@storage.v1.CSIDriverSpec#volumeLifecycleModes",
    ),
    AGE,
)
CSI_NODES = (
    NAME,
    count("Drivers", "Drivers indicates the number of CSI drivers registered on the node", "spec", "drivers"),
    AGE,
)
CSI_STORAGE_CAPACITIES = (
    NAME,
    text("StorageClassName", "@storage.v1.CSIStorageCapacity#storageClassName", "storageClassName"),
    text("Capacity", "@storage.v1.CSIStorageCapacity#capacity", "capacity", default=UNSET),
)


# ---- access control ------------------------------------------------------------------------------------------------


def _subjects(kind: str, name: str, owner: str) -> Column:
    def cell(obj: Object, now: float) -> str:
        mine = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
        return ", ".join(
            f"{each.get('namespace', '')}/{each['name']}" if kind == "ServiceAccount" else each["name"] for each in mine
        )

    return column(name, cell, f"{name} in the {owner}", wide=True)


def _binding(owner: str, about: str) -> tuple[Column, ...]:
    why = "If the RoleRef cannot be resolved, the Authorizer must return an error."
    return (
        NAME,
        column("Role", lambda obj, now: f"{at(obj, 'roleRef', 'kind')}/{at(obj, 'roleRef', 'name')}", f"{about} {why}"),
        AGE,
        _subjects("User", "Users", owner),
        _subjects("Group", "Groups", owner),
        _subjects("ServiceAccount", "ServiceAccounts", owner),
    )


ROLE_BINDINGS = _binding(
    "roleBinding", "RoleRef can reference a Role in the current namespace or a ClusterRole in the global namespace."
)
CLUSTER_ROLE_BINDINGS = _binding(
    "clusterRoleBinding", "RoleRef can only reference a ClusterRole in the global namespace."
)


# ---- admission -----------------------------------------------------------------------------------------------------

WEBHOOK_CONFIGURATIONS = (
    NAME,
    count("Webhooks", "Webhooks indicates the number of webhooks registered in this configuration", "webhooks"),
    AGE,
)


def _param_kind(obj: Object, now: float) -> str:
    kind = at(obj, "spec", "paramKind")
    return f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET


_PARAM_KIND = column(
    "ParamKind", _param_kind, "ParamKind specifies the kind of resources used to parameterize this policy"
)
VALIDATING_POLICIES = (
    NAME,
    count(
        "Validations",
        "Validations indicates the number of validation rules defined in this configuration",
        "spec",
        "validations",
    ),
    _PARAM_KIND,
    AGE,
)
MUTATING_POLICIES = (
    NAME,
    count(
        "Mutations",
        "Mutations indicates the number of mutations rules defined in this configuration",
        "spec",
        "mutations",
    ),
    _PARAM_KIND,
    AGE,
)


def _param_ref(obj: Object, now: float) -> str:
    found = at(obj, "spec", "paramRef")
    if not found:
        return UNSET
    if found.get("name"):
        return f"{found.get('namespace') or '*'}/{found['name']}"
    return format_selector(found.get("selector")) if found.get("selector") is not None else UNSET


POLICY_BINDINGS = (
    NAME,
    text(
        "PolicyName",
        "PolicyName indicates the policy definition which the policy binding binded to",
        "spec",
        "policyName",
    ),
    column("ParamRef", _param_ref, "ParamRef indicates the param resource which sets the configration param"),
    AGE,
)


# ---- scheduling, coordination, nodes -------------------------------------------------------------------------------

PRIORITY_CLASSES = (
    NAME,
    number("Value", "@scheduling.v1.PriorityClass#value", "value"),
    field(
        "Global-Default", "@scheduling.v1.PriorityClass#globalDefault", "globalDefault", default=False, type_="boolean"
    ),
    AGE,
    text("PreemptionPolicy", "@scheduling.v1.PriorityClass#preemptionPolicy", "preemptionPolicy", wide=True),
)
LEASES = (
    NAME,
    text("Holder", "@coordination.v1.LeaseSpec#holderIdentity", "spec", "holderIdentity"),
    AGE,
)
RUNTIME_CLASSES = (NAME, text("Handler", "", "handler"), AGE)


# ---- certificates, aggregation -------------------------------------------------------------------------------------


def _request_condition(obj: Object, now: float) -> str:
    types = {each["type"] for each in at(obj, "status", "conditions", default=())}
    words = ["Denied" if "Denied" in types else "Approved" if "Approved" in types else "Pending"]
    if "Failed" in types:
        words.append("Failed")
    if at(obj, "status", "certificate"):
        words.append("Issued")
    return ",".join(words)


def _requested_duration(obj: Object, now: float) -> str:
    seconds = at(obj, "spec", "expirationSeconds")
    return NONE if seconds is None else human_duration(seconds)


_SIGNER = (
    "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it will "
    "be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    "
    '"kubernetes.io/kube-apiserver-client-kubelet".\n 2. If it\'s a kubelet serving certificate, it is assigned\n    '
    '"kubernetes.io/kubelet-serving".\n 3. Otherwise, it is assigned "kubernetes.io/legacy-unknown".\n'
    "Distribution of trust for signers happens out of band. You can select on this field using `spec.signerName`."
)
CERTIFICATE_SIGNING_REQUESTS = (
    NAME,
    AGE,
    text("SignerName", _SIGNER, "spec", "signerName"),
    text("Requestor", "Base64-encoded PKCS#10 CSR data", "spec", "username"),
    column(
        "RequestedDuration", _requested_duration, "@certificates.v1.CertificateSigningRequestSpec#expirationSeconds"
    ),
    column("Condition", _request_condition, "Conditions applied to the request, such as approval or denial."),
)
CLUSTER_TRUST_BUNDLES = (
    NAME,
    column(
        "SignerName",
        lambda obj, now: at(obj, "spec", "signerName", default="") or NONE,
        "@certificates.v1.ClusterTrustBundleSpec#signerName",
    ),
)


def _pod_certificate_state(obj: Object, now: float) -> str:
    state = "Pending"
    for each in at(obj, "status", "conditions", default=()):
        if each["type"] in ("Issued", "Denied", "Failed"):
            state = each["type"]
    return state


_POD_REQUEST = "@certificates.v1.PodCertificateRequestSpec"
POD_CERTIFICATE_REQUESTS = (
    NAME,
    text("PodName", f"{_POD_REQUEST}#podName", "spec", "podName"),
    text("ServiceAccountName", f"{_POD_REQUEST}#serviceAccountName", "spec", "serviceAccountName"),
    text("NodeName", f"{_POD_REQUEST}#nodeName", "spec", "nodeName"),
    text("SignerName", f"{_POD_REQUEST}#signerName", "spec", "signerName"),
    column("State", _pod_certificate_state, "State of the request"),
    column(
        "UnverifiedUserAnnotations",
        lambda obj, now: format_labels(at(obj, "spec", "unverifiedUserAnnotations")),
        f"{_POD_REQUEST}#unverifiedUserAnnotations",
    ),
)


def _api_service(obj: Object, now: float) -> str:
    service = at(obj, "spec", "service")
    return f"{service.get('namespace', '')}/{service.get('name', '')}" if service else "Local"


def _available(obj: Object, now: float) -> str:
    for each in at(obj, "status", "conditions", default=()):
        if each["type"] == "Available":
            return "True" if each["status"] == "True" else f"{each['status']} ({each.get('reason', '')})"
    return "Unknown"


API_SERVICES = (
    NAME,
    column("Service", _api_service, "The reference to the service that hosts this API endpoint."),
    column("Available", _available, "Whether this service is available."),
    AGE,
)


# ---- flow control --------------------------------------------------------------------------------------------------


def _dangling(obj: Object, now: float) -> str:
    conditions = at(obj, "status", "conditions", default=())
    return next((each["status"] for each in conditions if each["type"] == "Dangling"), "?")


_FLOW = "@flowcontrol.v1.FlowSchemaSpec"
FLOW_SCHEMAS = (
    NAME,
    text("PriorityLevel", f"{_FLOW}#priorityLevelConfiguration", "spec", "priorityLevelConfiguration", "name"),
    field("MatchingPrecedence", f"{_FLOW}#matchingPrecedence", "spec", "matchingPrecedence", default=0),
    text("DistinguisherMethod", f"{_FLOW}#distinguisherMethod", "spec", "distinguisherMethod", "type", default=NONE),
    AGE,
    column("MissingPL", _dangling, "references a broken or non-existent PriorityLevelConfiguration"),
)
_QUEUING = "@flowcontrol.v1.QueuingConfiguration"
_QUEUE_PATH = ("spec", "limited", "limitResponse", "queuing")
PRIORITY_LEVELS = (
    NAME,
    text("Type", "@flowcontrol.v1.PriorityLevelConfigurationSpec#type", "spec", "type"),
    field(
        "NominalConcurrencyShares",
        "@flowcontrol.v1.LimitedPriorityLevelConfiguration#nominalConcurrencyShares",
        "spec",
        "limited",
        "nominalConcurrencyShares",
        default=NONE,
    ),
    field("Queues", f"{_QUEUING}#queues", *_QUEUE_PATH, "queues", default=NONE),
    field("HandSize", f"{_QUEUING}#handSize", *_QUEUE_PATH, "handSize", default=NONE),
    field("QueueLengthLimit", f"{_QUEUING}#queueLengthLimit", *_QUEUE_PATH, "queueLengthLimit", default=NONE),
    AGE,
)


# ---- devices, migrations -------------------------------------------------------------------------------------------


def _claim_state(obj: Object, now: float) -> str:
    states = ["deleted"] if at(obj, "metadata", "deletionTimestamp") else []
    if at(obj, "status", "allocation") is None:
        if not states:
            states.append("pending")
    else:
        states.append("allocated")
        if at(obj, "status", "reservedFor"):
            states.append("reserved")
    return ",".join(states)


RESOURCE_CLAIMS = (
    NAME,
    column("State", _claim_state, "A summary of the current state (allocated, pending, reserved, etc.)."),
    AGE,
)
_SLICE = "@resource.v1.ResourceSliceSpec"
RESOURCE_SLICES = (
    NAME,
    text("Node", f"{_SLICE}#nodeName", "spec", "nodeName"),
    text("Driver", f"{_SLICE}#driver", "spec", "driver"),
    text("Pool", f"{_SLICE}#pool", "spec", "pool", "name"),
    AGE,
)
_TAINT = "@resource.v1.DeviceTaint"
DEVICE_TAINT_RULES = (
    NAME,
    text("Key", f"{_TAINT}#key", "spec", "taint", "key"),
    text("Value", f"{_TAINT}#value", "spec", "taint", "value"),
    text("Effect", f"{_TAINT}#effect", "spec", "taint", "effect"),
    text("TimeAdded", f"{_TAINT}#timeAdded", "spec", "taint", "timeAdded"),
    AGE,
)


def _migration_status(obj: Object, now: float) -> str:
    conditions = at(obj, "status", "conditions", default=())
    return next((each["type"] for each in reversed(conditions) if is_true((each,), each["type"])), "Unknown")


def _migrated(obj: Object, now: float) -> str:
    resource = at(obj, "spec", "resource", default={})
    return ".".join(each for each in (resource.get("resource", ""), resource.get("group", "")) if each)


STORAGE_VERSION_MIGRATIONS = (
    column("Name", NAME.cell, NAME.description),
    column("Resource", _migrated, "Resource that is being migrated"),
    column("Status", _migration_status, "Status of the migration"),
)
