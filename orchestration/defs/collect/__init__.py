"""Collecting: the job that fetches files from suppliers, the sensor that starts it when due."""
