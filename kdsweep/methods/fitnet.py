"""FitNets: regress the teacher's embedding, beside the labels or as a stage before logit distillation.

    CE(z_S, y) + weight * mean (r(s) - t)^2, r linear

With `stage: hint` the regression stops after the fraction `fitnet.until` of training, where logit distillation starts
(`kd.start`); labels are on throughout, which is ours: the paper's first stage has none.

Romero, Ballas, Kahou, Chassang, Gatta, Bengio. FitNets: Hints for Thin Deep Nets. arXiv:1412.6550
"""

from kdsweep import objective
from kdsweep.methods import TEMPERED
from kdsweep.values.space import Float

TERMS = ("ce", "fitnet", "kd")
CHOICES = {"stage": ("joint", "hint")}
HINT = {"stage": ("hint",)}
WHEN = {"kd": HINT, "fitnet.until": HINT, "kd.temperature": {"task": TEMPERED}}
# Change it together with `kd.start`.
NUMBERS = ("fitnet.until",)
SPACE = {
    "fitnet.weight": Float(1.0, 1e3, log=True),
    "kd.temperature": Float(1.0, 8.0, log=True),
    "kd.weight": Float(0.1, 10.0, log=True),
}


def build(stage: str = "joint") -> "objective.Objective":
    if stage == "joint":
        return objective.Objective(ce=objective.CrossEntropy(), fitnet=objective.Hint(weight=100.0))
    return objective.Objective(
        ce=objective.CrossEntropy(),
        fitnet=objective.Hint(weight=100.0, until=0.3),
        kd=objective.SoftLogits(temperature=4.0, weight=0.9, start=0.3),
    )
