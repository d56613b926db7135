"""Compositional contrast: the student against a composition of both modalities, and against the teacher.

    student  CE(z_S) + NCE(s, m) + NCE(m, s) + NCE(s, a) + NCE(a, s) + J(z_S, z_m)
    head     CE(z_m) + NCE(s, m) + NCE(m, s) + NCE(m, a) + NCE(a, m) + J(z_S, z_m)
    m = a + Linear([nrm a, nrm s]), z_m = Linear(m), a the teacher's embedding

The student gets the gradient of its line alone; all but CE(z_S) is weighted. Where the embeddings differ in width, a
linear map brings the student's to the teacher's, which is ours.

Chen, Xian, Koepke, Shan, Akata. Distilling Audio-Visual Knowledge by Compositional Contrastive Learning. CVPR 2021,
arXiv:2104.10955
"""

from kdsweep import objective
from kdsweep.methods import CLASSES
from kdsweep.values.space import Float

TASKS = CLASSES
TERMS = ("ce", "ccl")
SPACE = {"ccl.weight": Float(0.1, 3.0, log=True), "ccl.temperature": Float(0.05, 0.5, log=True)}
NUMBERS = ("ccl.divergence",)


def build() -> "objective.Objective":
    return objective.Objective(ce=objective.CrossEntropy(), ccl=objective.CompositionalContrast(temperature=0.5))
