"""The sweep engine: chunks computed anywhere, kept in one directory, resumed exactly."""
