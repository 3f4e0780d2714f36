"""What is asked for: settings, axes, spec, groups, plan, layout, and the rule to stop by."""
