"""The ratehouse command. Each module adds its commands in `register(app)`."""
