"""The report of a shadow billing run, as Markdown and as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

from loaders.runs.shadow_result import CHECK_COLUMNS, FAIL, LOOK, PASS, Outcome
from orchestration.lib.tables import cell, markdown_table

_WORDS = {
    PASS: "Pass: no amount changes.",
    LOOK: "Look: amounts change within the thresholds. Are these the changes that were meant?",
    FAIL: "Fail: the change goes beyond the thresholds.",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; margin: 2rem auto; max-width: 76rem;
       padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
.verdict { padding: .7rem 1rem; border-radius: .4rem; font-weight: 600; margin: 1rem 0; }
.pass { background: #e2f4e6; color: #14532d; } .look { background: #fdf2d5; color: #6b4700; }
.fail { background: #fbe1e1; color: #7f1d1d; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .87rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #dde3ea; text-align: left;
         vertical-align: top; }
th { background: #f4f6f9; white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.up { color: #14532d; } td.down { color: #991b1b; } .note, dl { color: #55606e; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dd { margin: 0; }
"""


@dataclass(frozen=True)
class Report:
    """What there is to say."""

    title: str
    verdict: str
    facts: Sequence[tuple[str, str]]
    sentences: Sequence[str]
    outcome: Outcome | None

    @property
    def headline(self) -> str:
        """The verdict in words."""
        return _WORDS[self.verdict]

    def tables(self) -> list[tuple[str, Sequence[str], Sequence[Sequence[Any]], str]]:
        """Title, columns, rows and note of each table that has rows."""
        if self.outcome is None:
            return []
        return [
            ("Thresholds", CHECK_COLUMNS, readable(self.outcome.checks), ""),
            *(
                (t.title, t.columns, readable(t.rows), t.note)
                for t in self.outcome.tables
                if t.rows
            ),
        ]


def readable(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Amounts with four decimals, more where nothing would be left; the files have them whole."""
    return [[_rounded(value) for value in row] for row in rows]


def _rounded(value: Any) -> Any:
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    return round(value, 4) or value


def markdown(report: Report) -> str:
    """For a pull request or Dagster's page of the run."""
    parts = [
        f"# {report.title}",
        f"**{report.headline}**",
        "\n".join(f"- {name}: {_text(value)}" for name, value in report.facts),
        "\n".join(f"- {_text(sentence)}" for sentence in report.sentences),
    ]
    for title, columns, rows, note in report.tables():
        table = markdown_table(
            [_words(name) for name in columns],
            [[_text(value) if isinstance(value, str) else value for value in row] for row in rows],
        )
        parts += [f"## {title}", table, *([note] if note else [])]
    return "\n\n".join(part for part in parts if part) + "\n"


def _text(value: str) -> str:
    """Names come from files: no mark-up of theirs reaches the page."""
    return escape(value, quote=False).replace("`", "'").replace("[", "\\[")


def html_page(report: Report) -> str:
    """For whoever has a browser; nothing is loaded from anywhere."""
    facts = "".join(f"<dt>{escape(n)}</dt><dd>{escape(v)}</dd>" for n, v in report.facts)
    said = "".join(f"<li>{escape(sentence)}</li>" for sentence in report.sentences)
    tables = "".join(_html_table(*table) for table in report.tables())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{escape(report.title)}</h1>"
        f'<p class="verdict {report.verdict}">{escape(report.headline)}</p>'
        f"<dl>{facts}</dl><ul>{said}</ul>{tables}</body></html>\n"
    )


def _html_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], note: str
) -> str:
    head = "".join(f"<th>{escape(_words(name))}</th>" for name in columns)
    body = "".join("<tr>" + "".join(map(_html_cell, columns, row)) + "</tr>" for row in rows)
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{said}"
    )


def _html_cell(column: str, value: Any) -> str:
    # cell() makes bars safe for Markdown; a page has no need of that.
    shown = escape(cell(value).replace("\\|", "|"))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return f"<td>{shown}</td>"
    trend = ""
    if "difference" in column and value:
        trend = " up" if value > 0 else " down"
    return f'<td class="number{trend}">{shown}</td>'


def _words(name: str) -> str:
    return name.replace("_", " ")
