"""Learning from labels: votes, adapting, suggesting what to label."""
