"""The officer's queue of requests about residents' data (GDPR Art. 15 to 21).

Owns: the queue by due date; one request while a look-up stands; every decision on it. Routes: `/requests…`.
Leaves to others: requests themselves and what a decision does (`idp.rights`), recording the look-up (`consent`), who is
    signed in (`admin.staff`).
Others import: `views.bp`.
"""
