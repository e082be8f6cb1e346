"""What a rate sheet changes, as people read it."""

from __future__ import annotations

from typing import Any

from loaders.decks import DeckPreview

CHANGE_COLUMNS = (
    "row", "what", "code", "calls", "destination", "old price", "new price", "old increments",
    "new increments", "from",
)  # fmt: skip
EFFECT_COLUMNS = (
    "side", "code", "calls", "minutes", "old amount", "new amount", "difference",
)  # fmt: skip


def count_rows(preview: DeckPreview) -> list[tuple[Any, ...]]:
    """Category and number of codes, those that occur."""
    return [(name, count) for name, count in preview.difference.counts.items() if count]


def change_rows(preview: DeckPreview) -> list[tuple[Any, ...]]:
    """The largest changes, in rows of CHANGE_COLUMNS."""
    return [
        (
            change.row, change.category, change.prefix, change.jurisdiction, change.destination,
            change.old_price, change.new_price, change.old_increments, change.new_increments,
            change.effective,
        )
        for change in preview.difference.largest
    ]  # fmt: skip


def effect_rows(preview: DeckPreview) -> list[tuple[Any, ...]]:
    """The codes that matter most for the month's traffic, in rows of EFFECT_COLUMNS."""
    if preview.effect is None:
        return []
    return [
        (
            prefix.side, prefix.prefix, prefix.calls, prefix.minutes, prefix.old_amount,
            prefix.new_amount, prefix.new_amount - prefix.old_amount,
        )
        for prefix in preview.effect.largest
    ]  # fmt: skip


def sentences(preview: DeckPreview) -> list[str]:
    """The estimate, what to look at, and what the sheet itself says."""
    return [*_effect(preview), *preview.difference.warnings, *preview.notes]


def _effect(preview: DeckPreview) -> list[str]:
    effect = preview.effect
    if effect is None:
        return ["No estimate: nothing has been rated yet."]
    month = f"{effect.month:%Y-%m}"
    if not effect.sides:
        return [f"No estimate: {month} has no calls to codes that change."]
    found = []
    for side in effect.sides:
        text = (
            f"Estimate, {side.side}: {side.calls:,} calls of {month} to codes that change, "
            f"{side.minutes:,} billed minutes: {side.old_amount:,} {effect.currency_code} at the "
            f"prices of today, {side.new_amount:,} at those of the sheet "
            f"({side.difference:+,}). Other increments and minimum charges are not in it."
        )
        if side.blocked_calls:
            text += f" {side.blocked_calls:,} of them would be blocked."
        if side.unpriced_calls:
            text += f" {side.unpriced_calls:,} of them would have no price."
        found.append(text)
    return found


def as_json(preview: DeckPreview) -> dict[str, Any]:
    """Everything, for programs."""
    effect = preview.effect
    return {
        "file": preview.file_name,
        "deck": preview.deck_code,
        "rows": preview.row_count,
        "codes": preview.difference.code_count,
        "difference": preview.difference.counts,
        "codes_not_in_the_sheet": preview.difference.absent_count,
        "largest": [vars(change) for change in preview.difference.largest],
        "warnings": preview.difference.warnings,
        "notes": preview.notes,
        "question": preview.question,
        "estimate": None if effect is None else {
            "month": effect.month,
            "currency": effect.currency_code,
            "sides": [
                {**vars(side), "difference": side.difference} for side in effect.sides
            ],
            "largest": [vars(prefix) for prefix in effect.largest],
        },
    }  # fmt: skip
