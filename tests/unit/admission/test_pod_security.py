import pytest
from admission_world import World, container, pod
from fake_lister import obj

from cybernetes.apiserver.admission.pod_security.checks import Pod, described, violations
from cybernetes.apiserver.admission.pod_security.levels import LATEST

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def namespace(**labels):
    named = {f"pod-security.kubernetes.io/{key.replace('_', '-')}": value for key, value in labels.items()}
    return obj("Namespace", "shop", metadata={"labels": named}, status={"phase": "Active"})


def judge(level, spec, version=LATEST, annotations=None):
    return described(violations(level, Pod({"annotations": annotations or {}}, spec, version)))


def one(**security):
    return {"containers": [{"name": "c", "securityContext": security}]}


def test_a_plain_pod_violates_restricted_in_these_words():
    world = World(namespace(enforce="restricted"))
    assert world.refusal(pod()) == (
        'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false '
        '(container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities '
        '(container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true '
        '(pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile '
        '(pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )
    assert world.admit(pod(containers=[container(securityContext=SAFE)]))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}, {"hostPort": 443}]}]},
            'hostPort (container "c" uses hostPorts 443, 80)',
        ),
        (one(privileged=True), 'privileged (container "c" must not set securityContext.privileged=true)'),
        (
            one(capabilities={"add": ["NET_ADMIN", "CHOWN"]}),
            'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
        (
            one(procMount="Unmasked"),
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            one(seccompProfile={"type": "Unconfined"}),
            'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}},
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            one(seLinuxOptions={"type": "spc_t", "user": "u"}),
            'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
            "user may not be set)",
        ),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "evil"}}}]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "evil")',
        ),
        (
            one(appArmorProfile={"type": "Unconfined"}),
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
        ),
    ],
)
def test_baseline(spec, why):
    assert judge("baseline", spec) == why
    assert judge("privileged", spec) == ""


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"volumes": [{"name": "v", "nfs": {}}]},
            'restricted volume types (volume "v" uses restricted volume type "nfs")',
        ),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser=0 (pod must not set runAsUser=0)"),
        (
            {"securityContext": {"runAsNonRoot": False}},
            "runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)",
        ),
        (
            {"hostNetwork": True, "volumes": [{"name": "v", "nfs": {}}]},
            "host namespaces (hostNetwork=true), restricted",
        ),
    ],
)
def test_restricted(spec, why):
    assert judge("restricted", {"containers": [{"name": "c", "securityContext": SAFE}], **spec}).startswith(why)


def test_ephemeral_containers_are_judged_too():
    spec = {"containers": [], "ephemeralContainers": [{"name": "d", "securityContext": {"privileged": True}}]}
    assert "privileged" in judge("baseline", spec)


def test_an_older_standard_knows_less():
    assert judge("restricted", one(**{**SAFE, "runAsUser": 0}), 22) == ""
    assert (
        judge("restricted", one(**{**SAFE, "runAsUser": 0}), 23)
        == 'runAsUser=0 (container "c" must not set runAsUser=0)'
    )
    sysctl = {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}
    assert judge("baseline", sysctl, 31) == "forbidden sysctls (net.ipv4.tcp_rmem)"
    assert judge("baseline", sysctl, 32) == ""


def test_root_is_nobody_where_the_pod_has_its_own_users():
    spec = {**one(**{**SAFE, "runAsUser": 0, "runAsNonRoot": False}), "hostUsers": False}
    assert judge("restricted", spec) == ""
    assert "runAsNonRoot" in judge("restricted", {**spec, "hostUsers": True})


def test_warnings_and_audit_do_not_refuse():
    world = World(namespace(warn="baseline", audit="baseline"))
    world.admit(pod(hostNetwork=True))
    said = 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'
    assert world.warnings == [said]
    assert world.annotations["pod-security.kubernetes.io/audit-violations"] == said


def test_workloads_are_warned_about_never_refused():
    world = World(namespace(enforce="baseline", warn="baseline"))
    template = {"spec": {"hostPID": True, "containers": []}}
    assert world.admit(obj("Deployment", "d", "shop", "apps/v1", spec={"template": template}))
    cron = obj("CronJob", "c", "shop", "batch/v1", spec={"jobTemplate": {"spec": {"template": template}}})
    assert world.admit(cron)
    assert len(world.warnings) == 2


def test_an_update_is_judged_when_it_could_matter():
    world = World(namespace(enforce="baseline"))
    old = pod(hostNetwork=True)
    assert world.admit(pod(hostNetwork=True, activeDeadlineSeconds=5), old)
    other_image = pod(hostNetwork=True, containers=[{"name": "c", "image": "app:2"}])
    assert "violates PodSecurity" in world.refusal(other_image, old)
    debugged = pod(hostNetwork=True, ephemeralContainers=[container("d")])
    assert "violates PodSecurity" in world.refusal(debugged, old, subresource="ephemeralcontainers")


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({"enforce": "strict"}, 'Invalid value: "strict": must be one of privileged, baseline, restricted'),
        ({"warn_version": "1.2"}, 'Invalid value: "1.2": must be "latest" or "v1.x"'),
    ],
)
def test_labels_that_are_no_levels_are_invalid(labels, why):
    world = World()
    assert why in world.refusal(namespace(**labels))
    assert world.error.code == 422
    assert why in world.refusal(namespace(**labels), namespace())
    assert world.admit(namespace(**labels), namespace(**labels))


def test_an_unknown_level_that_got_in_is_taken_as_the_strictest():
    assert 'violates PodSecurity "restricted:latest"' in World(namespace(enforce="strict")).refusal(pod())


def test_a_stricter_level_warns_about_pods_that_are_there():
    world = World(pod("a", hostNetwork=True), pod("b", hostNetwork=True), pod("c"))
    world.admit(namespace(enforce="baseline"), namespace())
    assert world.warnings == [
        'existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): host namespaces",
    ]
