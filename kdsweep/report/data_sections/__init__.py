"""Parts of the page about a dataset, in their order: TITLE, a docstring, `table(findings)` and `figure(findings)`."""
