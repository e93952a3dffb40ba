"""Keys and signed texts of others (RFC 7515 to 7519, RFC 8725): partners' and providers' alike.

Owns: which published keys can be used, and for what (`keys`); reading, verifying and encrypting texts (`texts`);
how bytes and hashes are written in them (`encoding`).
Leaves to others: what a text must say (`idp.oidc`, `idp.login.upstream`), and our own signing keys (package `keys`).
Others import: all three modules.
"""
