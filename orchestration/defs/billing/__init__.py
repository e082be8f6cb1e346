"""Billing runs: draft invoices of a period."""
