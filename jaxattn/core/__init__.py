"""What every other folder may use: contracts, lookup by name, streams, JSON, precision."""
