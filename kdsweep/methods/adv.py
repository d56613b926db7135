"""Adversarial distillation: a critic tells the teacher's embeddings from the student's, the student makes them alike.

    hinge    critic: mean relu(1 - D(t)) + mean relu(1 + D(s))          student: CE(z_S, y) - weight * mean D(s)
    wgan-gp  critic: mean D(s) - mean D(t) + 10 mean (|dD(z)| - 1)^2    student: CE(z_S, y) - weight * mean D(s)
    lsgan    critic: 1/2 mean (D(t) - 1)^2 + 1/2 mean D(s)^2            student: CE + weight/2 * mean (D(s) - 1)^2

s is projected linearly. `loss` chooses among the three, `steps` is the number of critic updates before each main one.

Liu et al. Structured Knowledge Distillation for Semantic Segmentation. CVPR 2019, arXiv:1903.04197
"""

from kdsweep import objective
from kdsweep.values.space import Float

TERMS = ("ce", "adv")
CHOICES = {"loss": ("hinge", "wgan-gp", "lsgan"), "steps": (1, 5)}
SPACE = {"adv.weight": Float(0.01, 1.0, log=True), "adv.critic_lr": Float(0.1, 4.0, log=True)}


def build(loss: str = "hinge", steps: int = 1) -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), adv=objective.Adversary(kind=loss, steps=steps, weight=0.1))
