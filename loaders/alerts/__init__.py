"""Looking for fraud and failures by the rules in dbt_project/models/alerts."""

from loaders.alerts.backtest import Backtest, backtest
from loaders.alerts.scanning import Alert, Scan, scan

__all__ = ["Alert", "Backtest", "Scan", "backtest", "scan"]
