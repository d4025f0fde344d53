"""The annual report of an invented water cooperative, set as a PDF of five pages (needs reportlab, extra `dev`).

The text is in `report.txt`: a title, then chapters that begin with `#`, one to a page. Standard fonts are used, so that
the text comes out of the PDF as it went in.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

SOURCE = Path(__file__).with_name("report.txt")


def write_report(path: Path) -> None:
    """Set the report; the same text gives the same bytes with the same version of reportlab."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()
    title, *blocks = SOURCE.read_text(encoding="utf-8").strip().split("\n\n")
    story: list[Flowable] = [Paragraph(escape(title), styles["Title"])]
    for number, block in enumerate(blocks):
        if not block.startswith("# "):
            story += [Paragraph(escape(block), styles["BodyText"]), Spacer(1, 8)]
            continue
        story += [PageBreak()] if number else []
        story.append(Paragraph(escape(block.removeprefix("# ")), styles["Heading1"]))
    SimpleDocTemplate(str(path), pagesize=A4, title=title, author="Velm Water Cooperative", invariant=1).build(story)
