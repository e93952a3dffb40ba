"""Codes that are sent by e-mail or text message: instead of the password where the resident wants that, or after it.

Owns: the tables `login_sent_code` and `login_code_choice`, the messages `sign_in_code` and `codes_changed`.
Routes: `/login/email-code`, `/login/sms-code`, `/login/link`, `/account/sign-in/codes/<channel>`.
Leaves to others: delivery (`idp.messaging`), contact points (`idp.accounts`), how often may be guessed (`idp.login.budgets`).
Others import: `models`, `service.ways`, `service.remove_choices`, `views.bp`, `link_views.bp`, `own_views.bp`.
"""
