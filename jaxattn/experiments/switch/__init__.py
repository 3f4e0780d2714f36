"""When a hybrid should switch."""
