class Runs: pass
