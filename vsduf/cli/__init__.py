"""The `vsduf` program: `main.main` runs it, every other module but `terminal` is one command."""
