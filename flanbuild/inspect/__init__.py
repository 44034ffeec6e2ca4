"""What a mixture holds and why: plan, preview, origin, difference, rebuild. Computes; the command line prints."""
