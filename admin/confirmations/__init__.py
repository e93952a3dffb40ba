"""What partners have not confirmed: the privacy officer's queue.

Owns: the list of matters that are overdue or that nobody could be told, having the partner told again, closing a matter
    with a reason. Routes: `/confirmations`, `/confirmations/<matter>/remind`, `/confirmations/<matter>/close`.
    Nobody is named on these pages, so none of them is a look-up.
Leaves to others: the matters themselves (`consent.withdrawals`), telling (`idp.signals`), who is signed in (`admin.staff`).
Others import: `views.bp`.
"""
