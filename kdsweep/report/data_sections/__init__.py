"""The parts of the page about a dataset, one a file. What a section's module has: `render.section.Section`."""
