"""Changes to a running contract: each is data, applied by one pure function, previewed on a copy, recorded, undone."""
