"""Questions to the store, as API, console and command line ask them. Nothing here wakes a workflow."""
