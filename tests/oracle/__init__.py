"""The oracle: docs/rules.md a second time, in slow and plain Python.

It shares no code with the product: own CSV reading, own parsing, exact Fractions and Decimals.
Where the warehouse and the oracle differ, one of the two misread the rules.
"""
