"""What the commands share: arguments, checks of configs, and how a command ends."""
