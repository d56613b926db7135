"""The words that a report uses, in plain ones: tooltips of column heads, and a list at the end."""

GLOSSARY = {
    "arm": "One row of the comparison: a method with its choices, ranges and teacher.",
    "teacher": "The model that an arm distils from, by the key of its first run, and its mean score on test.",
    "n": "Confirm runs that count, one a seed; failed and unfinished ones are named beside them.",
    "mean": "Average over seeds, at the epoch that counts.",
    "SD": "Standard deviation over seeds: one half of the uncertainty. The other half is the test set.",
    "IQM": "Interquartile mean: the mean of the middle half of the seeds, less moved by one collapsed run.",
    "median": "The middle seed: unmoved by one collapsed run.",
    "effect size": "Difference of the means over a run's SD (Cohen's d): how far apart seeds lie, not how sure it is.",
    "paired t p": "Student's test on the seeds' differences: about this very test set, not new samples. Unadjusted.",
    "Wilcoxon p": "Exact signed-rank test on the seeds' differences; only where it can be significant. Unadjusted.",
    "ε_min": "Almost stochastic order: below 0.5 the first is stochastically better with 95% confidence.",
    "P(better)": "Bayesian signed-rank test over seeds: posterior of a lead beyond the margin of equivalence.",
    "P(equivalent)": "Bayesian signed-rank test over seeds: posterior of a difference within that margin.",
    "P(worse)": "Bayesian signed-rank test over seeds: posterior of a deficit beyond that margin.",
    "over": "What the interval holds for: new seeds and new test samples, or less where it says so.",
    "p": "Two-sided p of the interval's t test after Holm's adjustment for its family.",
    "verdict": "Better, worse, equivalent within ±r, or undecided. Undecided is not the same as no effect.",
    "difference": "Row minus baseline with its 95% interval, unadjusted for being one of several.",
    "P(improvement)": "How often a run of this row scores above a run of the baseline, over all pairs of seeds.",
    "sign-flip p": "Exact test on the seeds' differences, blind to the test set; only where it can be significant.",
    "finished": "Search and finalist trials that ran to the end.",
    "pruned": "Search trials stopped early because they fell behind. They count in the budget.",
    "failed": "Trials that diverged or broke. They count in the budget.",
    "device-seconds": "Training time of all its trials and of the teachers and auxiliary models that they read, the "
    "searches for those included; a model that several arms share counts in each.",
    "seeds only": "Student's interval over seeds: right for this very test set, too narrow for new samples.",
    "samples only": "The interval over test samples with seeds averaged: too narrow for new seeds.",
    "retuned": "Whether the row had a search of its own, with the full method's budget.",
    "exploratory": "Outside the claim: a finding to be confirmed by another study, not a test of this one.",
    "claim": "What the study set out to show before it ran; its comparisons are one Holm family.",
    "crossed interval": "A 95% interval for a new seed and a new test sample at once, from their two-way table.",
    "equivalent": "Both one-sided tests say that the difference lies within ±r, and r was set before the study.",
    "look": "A report of a finished confirm at a new number of seeds. Later looks are tested more strictly.",
    "role": "Part of the claim, its baseline, exploratory, or a reference outside the equal budget.",
    "row": "The full method with something taken away or changed; everything else as it was.",
    "question": "What the row is there to answer.",
    "part of": "The claim, or the exploratory rest: two families, each adjusted on its own.",
    "what would decide it": "More seeds, if the difference stays what it is; or why no number of them will.",
    "SD between seeds": "Spread of the true difference from one seed to another: more seeds average it out.",
    "SD between samples": "Spread of the difference over test samples: only a larger test set averages it out.",
    "SD left": "What is left of a single sample's difference in a single run.",
    "half-width now": "Half of the crossed interval.",
    "with any number": "The smallest difference that this test set can ever show.",
    "interaction": "What a term adds to all others, less what it adds to a student trained alone.",
    "gained by searching": "What a search of its own gave the row: so much was owed to settings, not to the term.",
    "step": "Difference from the subset before, with its 95% interval, unadjusted.",
    "best of": "Expected best validation score of so many search trials drawn at random.",
    "T": "Test score of the teacher.",
    "S": "Test score of the student.",
    "T told by S": "Share of the teacher's embedding that a linear map reads off the student's, on test (%).",
    "A held by T": "Share of the auxiliary models' embeddings that a linear map reads off the teacher's, on test (%).",
    "A told by S": "Share of the auxiliary models' embeddings that a linear map reads off the student's, on test (%).",
    "lost": "From the teacher's best epoch to its last.",
    "leave one out": "The full method with one term removed.",
    "add one in": "Only the terms that are always there, and one more.",
}

# Columns that name what they are about: "− KD", "p, KD", "verdict, KD", "best of 16".
NAMED = {"− ": "difference", "p, ": "p", "verdict, ": "verdict", "best of ": "best of"}


def explained(column: str) -> str | None:
    """What a column's head means; None where it speaks for itself."""
    word = next((word for prefix, word in NAMED.items() if column.startswith(prefix)), column)
    return GLOSSARY.get(word)
