"""What an auditor asks of the records: who, what, when, how often, and whether it can be proved.

Owns: the search over all records, one person's timeline, the page somebody saw rebuilt from its stored notice, counts
    over time, who is affected by an incident, and the register of processing (GDPR Art. 30). It only reads.
Leaves to others: who may ask, recording that they asked, names of people and services, pages and files.
Others may import: ``search``, ``timeline``, ``replay``, ``figures``, ``affected``, ``register``, ``rules``, ``standing``.
"""
