"""What must hold whatever the tariff and the calls are, tried through the models themselves."""
