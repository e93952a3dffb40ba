"""Staff accounts and who of them is signed in.

Owns: accounts of clerks, officers and operators, their sign-in with password and code, their sessions, the
    roles that each view names. Routes: `/`, `/login`, `/logout`. Commands: `denizen staff`.
Leaves to others: what each role may do (the features), residents' accounts (`idp.accounts`, never mixed with these).
Others import: `current` (the role decorators), `sessions.StaffMember`, `service.add_staff`, `cli.staff`.
"""
