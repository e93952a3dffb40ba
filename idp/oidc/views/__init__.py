"""The endpoints, one a file.

Owns: HTTP of the protocol. A back-channel endpoint is a function `answer(provider, incoming)` that gives an
`Answer`; `authorize` gives None where a person must act, and its pages take over. Views own the transaction.
"""
