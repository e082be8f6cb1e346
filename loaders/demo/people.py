"""Names for caller ID: plain ones, and ones that hurt a careless reader."""

PLAIN = (
    "Reception",
    "Front Desk",
    "Sales",
    "Service Dept",
    "Alice Moreno",
    "Ben Whitaker",
    "Carla Jensen",
    "Dev Patel",
    "Erin O'Neil",
    "Frank Liu",
    "Gina Rossi",
    "Hugo Marsh",
    "Irene Cole",
    "Jamal Reed",
    "Kim Tran",
    "Lars Holm",
)
# Inner quotes are doubled once more by the CSV writer.
QUOTED = ('Bob ""The Builder""', '""Night"" Desk')
NEWLINE = ("Warehouse\nGate 4", "Smith\nand Sons")
LATIN_1 = ("José Núñez", "Zoë Grünwald", "François Lévêque")
