"""Training DUF networks: footage, samples, degradation and the loop."""
