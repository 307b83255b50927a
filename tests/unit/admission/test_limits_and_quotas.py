import asyncio

import pytest
from admission_world import World, container, pod
from fake_lister import obj

from cybernetes.base.errors import ApiError


def limits(*rows):
    return obj("LimitRange", "limits", "shop", spec={"limits": list(rows)})


def quota(hard, used=None, name="q", **spec):
    used = dict.fromkeys(hard, "0") if used is None else used
    status = {"hard": hard, "used": used}
    return obj(
        "ResourceQuota", name, "shop", metadata={"resourceVersion": "1"}, spec={"hard": hard, **spec}, status=status
    )


def used(world, name="q"):
    return world.lister.get("", "resourcequotas", "shop", name)["status"]["used"]


class TestLimitRanger:
    def test_containers_get_what_they_did_not_ask_for_and_the_pod_says_so(self):
        row = {"type": "Container", "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "100m"}}
        world = World(limits(row))
        made = world.admit(pod(containers=[container("a"), container("b", {"cpu": "5m"}, {"cpu": "2"})]))
        first, second = (each["resources"] for each in made["spec"]["containers"])
        assert first == {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
        assert second == {"requests": {"cpu": "5m"}, "limits": {"cpu": "2", "memory": "1Gi"}}
        assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: cpu request for container a; cpu, memory limit for container a; "
            "memory limit for container b"
        )

    @pytest.mark.parametrize(
        ("row", "requests", "upper", "why"),
        [
            (
                {"min": {"cpu": "100m"}},
                {"cpu": "50m"},
                {},
                "minimum cpu usage per Container is 100m, but request is 50m",
            ),
            ({"min": {"cpu": "100m"}}, {}, {}, "minimum cpu usage per Container is 100m.  No request is specified"),
            ({"max": {"cpu": "1"}}, {}, {"cpu": "2"}, "maximum cpu usage per Container is 1, but limit is 2"),
            ({"max": {"cpu": "1"}}, {}, {}, "maximum cpu usage per Container is 1.  No limit is specified"),
            (
                {"maxLimitRequestRatio": {"cpu": "2"}},
                {"cpu": "1"},
                {"cpu": "4"},
                "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000",
            ),
            (
                {"min": {"cpu": "1"}, "max": {"memory": "1Gi"}},
                {"cpu": "10m"},
                {"memory": "2Gi"},
                "[minimum cpu usage per Container is 1, but request is 10m, "
                "maximum memory usage per Container is 1Gi, but limit is 2Gi]",
            ),
        ],
    )
    def test_what_is_out_of_bounds_is_refused(self, row, requests, upper, why):
        world = World(limits({"type": "Container", **row}))
        refusal = world.refusal(pod(containers=[container("c", requests, upper)]))
        assert refusal == f'pods "web" is forbidden: {why}'

    def test_a_pod_is_bounded_as_a_whole(self):
        world = World(limits({"type": "Pod", "max": {"cpu": "2"}}))
        two = [container("a", {}, {"cpu": "1"}), container("b", {}, {"cpu": "1500m"})]
        assert "maximum cpu usage per Pod is 2, but limit is 2500m" in world.refusal(pod(containers=two))

    def test_a_claim_is_bounded(self):
        world = World(limits({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}))
        claim = obj("PersistentVolumeClaim", "d", "shop", spec={"resources": {"requests": {"storage": "2Gi"}}})
        assert world.refusal(claim).endswith(
            "maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 2Gi"
        )


class TestResourceQuota:
    def test_a_pod_is_charged(self):
        world = World(quota({"pods": "2", "requests.cpu": "1"}))
        world.admit(pod(containers=[container("c", {"cpu": "300m"})]))
        assert used(world) == {"pods": "1", "requests.cpu": "300m"}

    def test_what_exceeds_is_refused_and_not_charged(self):
        world = World(quota({"pods": "2"}, {"pods": "2"}))
        assert world.refusal(pod()) == (
            'pods "web" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
        )
        assert used(world) == {"pods": "2"}

    def test_a_quota_whose_use_is_not_known_yet_refuses(self):
        world = World(quota({"pods": "2", "cpu": "1"}, {}))
        refusal = world.refusal(pod(containers=[container("c", {"cpu": "1"})]))
        assert refusal.endswith("status unknown for quota: q, resources: cpu,pods")

    def test_containers_must_say_what_is_limited(self):
        world = World(quota({"limits.memory": "1Gi", "cpu": "1"}))
        two = [container("b"), container("a", {"cpu": "1"})]
        assert world.refusal(pod(containers=two)).endswith(
            "failed quota: q: must specify cpu for: b; limits.memory for: a,b"
        )

    def test_a_dry_run_is_checked_but_not_charged(self):
        world = World(quota({"pods": "1"}))
        world.admit(pod(), dry_run=True)
        assert used(world) == {"pods": "0"}
        full = World(quota({"pods": "1"}, {"pods": "1"}))
        assert "exceeded quota" in full.refusal(pod(), dry_run=True)

    @pytest.mark.parametrize(
        ("scopes", "spec", "counts"),
        [
            (["BestEffort"], {}, True),
            (["NotBestEffort"], {}, False),
            (["Terminating"], {"activeDeadlineSeconds": 5}, True),
            (["NotTerminating"], {"activeDeadlineSeconds": 5}, False),
            (["PriorityClass"], {}, False),
        ],
    )
    def test_scopes_choose_pods(self, scopes, spec, counts):
        world = World(quota({"pods": "1"}, scopes=scopes))
        world.admit(pod(**spec))
        assert used(world)["pods"] == ("1" if counts else "0")

    def test_objects_are_counted_by_resource(self):
        hard = {"count/deployments.apps": "1", "secrets": "1", "services.nodeports": "1", "services": "5"}
        world = World(quota(hard))
        world.admit(obj("Deployment", "d", "shop", "apps/v1", spec={}))
        world.admit(obj("Secret", "s", "shop"))
        assert "exceeded quota: q, requested: secrets=1" in world.refusal(obj("Secret", "t", "shop"))
        ports = [{"port": 1}, {"port": 2}]
        service = obj("Service", "x", "shop", spec={"type": "NodePort", "ports": ports})
        assert "requested: services.nodeports=2" in world.refusal(service)
        assert used(world) == {
            "count/deployments.apps": "1",
            "secrets": "1",
            "services.nodeports": "0",
            "services": "0",
        }

    def test_an_update_is_charged_by_what_it_adds(self):
        claim = lambda size: obj(  # noqa: E731
            "PersistentVolumeClaim",
            "d",
            "shop",
            spec={"storageClassName": "fast", "resources": {"requests": {"storage": size}}},
        )
        elastic = obj("StorageClass", "fast", api_version="storage.k8s.io/v1", allowVolumeExpansion=True)
        name = "fast.storageclass.storage.k8s.io/requests.storage"
        world = World(
            elastic, quota({"requests.storage": "3Gi", name: "10Gi"}, {"requests.storage": "1Gi", name: "1Gi"})
        )
        world.admit(claim("2Gi"), claim("1Gi"))
        assert used(world) == {"requests.storage": "2Gi", name: "2Gi"}
        assert "requested: requests.storage=3Gi" in world.refusal(claim("5Gi"), claim("2Gi"))

    def test_many_at_once_never_exceed_and_share_writes(self):
        world = World(quota({"pods": "7"}))

        async def one(number):
            try:
                await world.pass_through(world.attributes(pod(f"web-{number}")))
            except ApiError as refused:
                assert "exceeded quota: q" in refused.message
                return 0
            return 1

        async def all_at_once():
            return sum(await asyncio.gather(*(one(number) for number in range(40))))

        assert asyncio.run(all_at_once()) == 7
        assert used(world) == {"pods": "7"}
        assert world.ledger.writes <= 3

    def test_a_change_by_another_server_is_seen_before_it_is_decided(self):
        world = World(quota({"pods": "2"}))

        def fill_up():
            full = quota({"pods": "2"}, {"pods": "2"})
            full["metadata"]["resourceVersion"] = "9"
            world.lister.put(full)

        world.ledger.meanwhile = fill_up
        assert "used: pods=2, limited: pods=2" in world.refusal(pod())

    def test_who_gives_up_waiting_does_not_hold_up_the_others(self):
        world = World(quota({"pods": "5"}))

        async def scenario():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(world.pass_through(world.attributes(pod(f"web-{n}")))) for n in range(3)]
                await asyncio.sleep(0)
                tasks[0].cancel()
            return [task.cancelled() for task in tasks]

        assert asyncio.run(scenario()) == [True, False, False]
        assert int(used(world)["pods"]) in (2, 3)
