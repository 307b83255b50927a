"""The API server's client, and what every loop builds on it.

enters   calls; a Transport
leaves   objects as dicts; watch events; local state of an informer
holds    an informer's state is the server's as of some revision, and only moves forward
fails    ApiError as the server answered; EdgeError when there was no answer

A loop that follows pods of one node and works on those that changed:

    class Meta(msgspec.Struct, frozen=True, gc=False):
        name: str
        namespace: str = ""
        uid: str = ""

    class Pod(msgspec.Struct, frozen=True, gc=False):
        metadata: Meta

    client = ApiClient(transport, user_agent="kubelet", clock=clock)
    pods = Informer(client, PODS, msgspec.json.Decoder(Pod).decode, clock=clock, random=random,
                    selection=Selection(fields="spec.nodeName=node-1"))
    queue = WorkQueue[str](clock, random)
    pods.on_change(lambda key, old, new: queue.add(key))      # key is "namespace/name"; new None: deleted

    async def work() -> None:
        await pods.wait_synced()
        while True:
            key = await queue.get()
            try:
                await sync(pods.items.get(key))
                queue.forget(key)
            except (ApiError, EdgeError):
                queue.retry(key)
            finally:
                queue.done(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(pods.run(), name="pods")
        group.create_task(work(), name="work")

Values that are dict trees: `decode=orjson.loads`. A value keeps memory small with `gc=False` structs of
the fields used. A field of type `msgspec.Raw` keeps that part as bytes, decoded when it is needed.
"""
