"""Numbers and sentences from a result: intervals, differences, limit gaps, findings."""
