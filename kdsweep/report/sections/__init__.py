"""The parts of a report, one a file: the folder is the registry.

A section's module has
    a docstring      what it shows, as the page's caption
    TITLE, ORDER     its heading, and where it stands
    table(runs)      -> list[Table]: the numbers
    figure(runs)     -> plotly's Figure with a height, or None: the ink; its docstring is the figure's caption
and, where it has more to say,
    words(runs)      -> list[str]: paragraphs
    listing(runs)    -> str: text as it is
    applies(runs)    -> bool: False where the section has no meaning, as Recall at k for a classification
"""
