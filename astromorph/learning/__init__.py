"""Learning from galaxies: votes, adapting, suggesting what to label, what looks alike."""
