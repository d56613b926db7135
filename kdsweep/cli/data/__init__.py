"""`kdsweep data`: bring data of one's own, look at them, and give them a split."""
