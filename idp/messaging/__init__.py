"""Messages to people.

Owns: the outbox (written in the transaction that causes a message), its delivery by SMTP, the texts.
Leaves to others: when a message is due. Others import: `service.enqueue`, `delivery.Courier`.
Each message is a folder under `messages/` with `subject.txt` and `body.txt`.
"""
