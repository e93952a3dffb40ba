"""One module for each provider: how it is prepared, started and stopped.

A driver knows processes; what is sent to the provider is the workloads' business.
"""
