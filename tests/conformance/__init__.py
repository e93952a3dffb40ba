"""What the modules of the OpenID Foundation's conformance suite ask of a provider, asked of ours.

Each test is named after a module of the suite. The modules of OpenID Connect are functions of `tests.conformance.modules`
with the requirement as docstring; `tests.conformance.openid_plans` says which run in which plan.
The town is the one of `denizen conformance`; whoever asks knows what that command prints, and nothing else.
"""
