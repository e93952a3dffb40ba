"""Receipts: what happened, in which words it was asked, and the proof of both, for the person to keep.

Owns: the receipt of each consent event (ISO/IEC TS 27560 in the Data Privacy Vocabulary, as JSON-LD), its signed forms,
    the short form for a code on paper, and the check of all of them, which needs nobody's database.
Leaves to others: keys, paper and who is signed in (:class:`consent.receipts.ports.ReceiptPorts`), and the log itself.
Routes: ``/privacy/receipts/<uid>``, the same with ``.jwt``, ``.json`` and ``.pdf``, and ``/receipts/verify``.
Others may import: ``ports``, ``views.bp``, ``verifying``, ``signed.NotReadable``, ``service``, ``words``.
"""
