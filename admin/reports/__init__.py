"""What the officer reports: figures by service, services that ask for more than others, the register of processing.

Owns: charts with the same figures beside them, small numbers left out; the comparison of purposes on the same basis;
    the register (GDPR Art. 30). Routes: `/officer/figures`, `/officer/over-asking`, `/officer/register`,
    `/officer/register.csv`.
Leaves to others: counting and comparing (`consent.audit`).
Others import: `views.bp`.
"""
