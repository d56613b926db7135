"""Why a study runs a trial: the stages of its protocol, in their order."""

STAGES = ("teacher", "search", "finalists", "confirm", "defaults", "ablate", "control")
