"""Keys: signing keys and their rotation, envelope encryption, encrypted column types, blind indexes.

Owns: the key file, the service key it wraps, residents' data keys (their making and opening, not their rows),
the signing keys and their life (next, current, previous, retired), and the published key set.
Leaves to others: where a resident's wrapped data key is stored (idp), what is signed (idp, consent), writing
key events to the log (the caller, in the same transaction), when the clock ticks (idp's maintenance and CLI).
Routes: none.

Others may import `keys.envelope`, `keys.columns`, `keys.signing` and `keys.rotation`. `keys.models` is private
to this package, except that idp's migrations read its metadata; `keys.rules` is the pure half of rotation.
"""
