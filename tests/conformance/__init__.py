"""What the modules of the OpenID Foundation's conformance suite ask of a provider, asked of ours.

Each test is named after a module of the suite, with dashes as underscores, and has its requirement in the docstring.
The town is the one of `denizen conformance`; whoever asks knows what that command prints, and nothing else.
"""
