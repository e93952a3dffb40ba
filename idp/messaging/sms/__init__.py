"""Text messages: the gateways that carry them.

Owns: the requests of a generic HTTP gateway and of Twilio, and what their answers mean.
Leaves to others: when and how often a message is tried (`idp.messaging.delivery`).
Others import: `gateway.Gateway`.
"""
