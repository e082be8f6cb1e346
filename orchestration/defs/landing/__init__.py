"""Files: the drop folder, what is landed from it, the sensor that watches it."""
