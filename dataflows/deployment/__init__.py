"""Brings the pipeline to a cluster and keeps it there: thin over ``kubectl``, kustomize and Flink's REST interface.

The manifests say what is to be there; this package asks, waits, and says in one line what is wrong.
"""
