"""Groups that other API servers answer for: APIServices that name a Service.

enters   APIServices, Services and EndpointSlices through the caches; requests for groups that are not served here
leaves   the other server's answers; the condition Available of every APIService; versions for discovery; APIServices of
         custom resources
holds    the client's credentials stay here: the other server learns of the user from headers, and believes them
         because of the front proxy's certificate
fails    503 as text while the other server can't be reached, as clients of the reference expect it
start    serve.Aggregator.answer for requests, loop.Availability.run; registration.Registration.run

source  Kubernetes documentation "Kubernetes API Aggregation Layer"
"""
