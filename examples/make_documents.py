"""Write the generated example documents: the report as a PDF, and the station's log book as text.

    python examples/make_documents.py [FOLDER]

FOLDER is `examples/documents` when not given. The other documents are kept as they were written, by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from report import write_report
from station_log import station_log

DOCUMENTS = Path(__file__).parent / "documents"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder / "annual-report-velm.pdf")
    (folder / "station-log-skerrow.txt").write_bytes(station_log().encode("utf-8"))
    print(f"wrote 2 documents to {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS)
