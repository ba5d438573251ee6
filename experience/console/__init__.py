"""The console: pages made on the server, over the same questions and commands as the API and the command line."""
