"""What the privacy officer sees of one resident.

Owns: finding one person by the whole of an address or user name, with a reason; the page about them while the
    reason stands. Routes: `/officer`, `/officer/people/<reference>`.
Leaves to others: recording the look-up and all that is shown (`consent`), who is signed in (`admin.staff`).
Others import: `views.bp`.
"""
