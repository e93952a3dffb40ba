"""HTTP plumbing that both apps share.

Owns: reading a request, answers, security headers, cookies, CSRF, error pages, languages, brand, static files.
Leaves to others: what any page means; who is signed in (`idp.login`, `admin.staff`).
Others import: `Context`, `Incoming`, `Answer`, `init_pages`, the cookie and CSRF functions.
"""
