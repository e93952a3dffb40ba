"""Messages to people: mail, text messages (SMS) and letters.

Owns: the outbox (written in the transaction that causes a message), its delivery by SMTP and HTTP, letters for the
printer, the texts, limits and quiet hours.
Leaves to others: when a message is due, and where a resident is reached (`ports`, registered by `idp.app`).
Others import: `service` (`tell`, `enqueue`, `enqueue_sms`, `enqueue_letter`, `PostalAddress`), `ports`,
`delivery.Courier`, `letters`, `outbox`.

Each message is a folder under `messages/`:
    subject.txt  one line; the title of a letter, too
    body.txt     the mail in plain text
    body.html    the mail in HTML: a fragment of macros (`import "layouts/macros.html"`), never a whole page
    sms.txt      the text message, where there is one; short, one segment where that is possible
    letter.txt   the letter, where it differs from body.txt; paragraphs are apart by an empty line
The layouts around them (`messages/layouts/`) bring the town's name and colour, and "This wasn't me".
Texts are written when a message leaves, so callers give facts only. Every text knows `town`, `contact`, `host`,
`home` (the issuer) and `not_me_url` (empty where there is none), besides the `values` of its caller; an instant in
Unix seconds becomes readable by the filters `day_time` and `day`.
A paragraph that is nothing but `code` is shown large; one that is nothing but `link` gets a QR code in a letter.
"""
