"""The Common Expression Language: expressions over documents, as Kubernetes has them.

enters   texts of expressions, types of their variables; later the values of those
leaves   values, and what they cost
holds    a text that compiles never fails for its types; no expression costs more than its limit, nor changes anything
fails    CompileError with the places in the text; EvaluationError, CostExceeded while it runs
start    environment.Environment.compile -> parser.parse -> checker.check -> compiler.compile_tree -> Program.evaluate

source  cel-spec langdef.md; the words of errors and the numbers of costs are those of cel-go
"""
