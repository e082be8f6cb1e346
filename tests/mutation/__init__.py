"""Mutation check: the code is broken in one place at a time, and the tests must notice.

`python -m tests.mutation` (`make mutants`) copies the project, changes one text of `mutants.toml`
in the copy, compiles what that text reaches, and rates small worlds whose answers are known: worked
cases, a demo month and random decks, terms, classes and fees against the oracle. A mutant that
changes no answer has survived: a test is missing.
"""
