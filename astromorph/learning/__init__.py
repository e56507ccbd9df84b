"""Learn from labeled galaxies, and compare galaxies by their looks."""
