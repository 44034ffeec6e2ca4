"""What a mixture holds and why: plan, preview, origin, difference, rebuild, explore. Computes; the command line prints."""
