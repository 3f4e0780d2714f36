"""The published figure: the reduced system of the three paradigms, solved."""
