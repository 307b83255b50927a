"""One file a verb; each is `async (Core, Call) -> Response` and has no code for single kinds."""
