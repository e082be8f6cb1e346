"""Worked cases run through the real models.

A case says inputs and what they must give. It is written down as reference data and records, as a
user would have them, rated by the compiled dbt models in one dry run for all cases, and its answers
are read from what the models made. No arithmetic of a charge stands here: what the models do not
give yet is not supported, with the reason.

    python -m tests.cases FILE [--reference FOLDER]
"""
