"""A month of a small fictional carrier: reference data, call files, charge files and their dirt.

Everything is made from one seed: the same flags give the same bytes. Facts about the numbering
plan (area codes, country codes) are public; companies, customers, numbers and prices are invented.
"""
