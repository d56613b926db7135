"""Finding a dataset: shipped ones by name, a user's own by `package.module:callable`."""
