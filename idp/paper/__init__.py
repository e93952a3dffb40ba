"""Paper: letters, cards and lists as accessible PDF (PDF/UA-1).

Owns: the layouts (Typst, in `templates/`), QR codes, and the child process that makes a PDF, so that the memory this
takes is given back. Data reaches a layout as JSON, never as part of its source.
Leaves to others: what is printed, in which words. Strings come translated, dates written out.
Others import: `render`, `printed`, `Printed`, `qr_svg`, `crest_of`, `PaperProblem`.

A layout is `templates/NAME.typ`. It takes its data from `lib.typ` (`data`), which also has the page, the crest, codes
and QR codes; see `letter.typ`. `data` always has `lang`, `dir`, `font`, and `title`, which a PDF/UA must have.
"""

from idp.paper.crest import crest_of
from idp.paper.printer import PaperProblem, Printed, printed, render
from idp.paper.qr import qr_svg

__all__ = ["PaperProblem", "Printed", "crest_of", "printed", "qr_svg", "render"]
