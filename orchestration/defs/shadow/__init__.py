"""Shadow billing runs: a change of rules or prices tried beside production."""
