"""Parts that the commands share: arguments, checks of configs, and error handling."""
