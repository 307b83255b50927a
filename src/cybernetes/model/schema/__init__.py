"""What the fields of every kind are: node trees, decoding, defaults.

enters   the generated definitions, or a custom resource's structural schema; bodies of requests
leaves   objects as the reference would write them: unknown fields dropped, numbers and times canonical, defaults filled
holds    a definition is compiled once, when it is first asked for; nodes are shared and never change
fails    ApiError 400 with the words of Go's decoder
start    compile.node(name), compile.kind_node(api_version, kind) -> decode.decode -> default.default
"""
