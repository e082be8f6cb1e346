"""Rating runs: every model between landing and marts, built for one work set at a time."""
