"""Authlib's grants over our service: Authlib dispatches and speaks RFC 6749, we spend and mint.

Owns: the adapters. A grant fills in only what is unique to it; client authentication, errors and the shape
of the answer are shared in `server`. Leaves to others: every statement (`oidc.service`).
"""
