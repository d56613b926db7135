"""The parts of a report, one a file. What a section's module has: `render.section.Section`."""
