"""Scales workloads by what their pods use.

enters   HorizontalPodAutoscalers; scales of their targets; pods; metrics.k8s.io; every 15 seconds
leaves   the target's scale; status; Events SuccessfulRescale, FailedGetScale, FailedGetResourceMetric
holds    metrics of type Resource and ContainerResource; others are told as FailedGet... in the condition ScalingActive
fails    without metrics nothing is scaled down; the reason stands in the conditions
start    loop.PodAutoscalerController.sync -> usage.propose -> limits.bounded
"""
