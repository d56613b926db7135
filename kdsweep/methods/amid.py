"""AMID: a teacher kept strong by the auxiliary modality, and a student brought close to it in information.

    maximise  I(T;S) + I(T;A) - H(T|S) = [H(T) + I(T;A)] - 2 H(T|S)

The first bracket keeps the teacher strong (alone, I(T;S) has a short cut: a teacher as weak as the student), the second
closes the gap. The teacher T trains with the student S inside the trial; A is a model of each auxiliary modality.

    L_T = CE(z_T, y) + alpha L_MI(T, S) + beta mean_m L_MI(T, sg A_m)
    L_S = CE(z_S, y) + alpha L_MI(T, S) + gamma L_H(S, sg T)    [+ lambda T^2 KL(sg z_T || z_S), `with_kd`]

alpha, beta, gamma, lambda are `mi_teacher.weight`, `mi_auxiliary.weight`, `entropy.weight`, `kd.weight`. Each L counts
once, in one main optimiser; the discriminator of L_H and the q of CLUB have their own.

The paper's: the objective, contrastive learning for the mutual information, adversarial learning for the entropy. Ours
("after AMID"): everything else, for the paper has no code and its weights, temperature and discriminator are not
public: the estimators, the forms of L_H, projections, schedules, ranges and defaults. Results are not the paper's.

Choices:
    mi_teacher.estimator, mi_auxiliary.estimator: how information is bounded; club bounds it from above, so to maximise
        it promises nothing: it is here to be compared.
    entropy.form: pair (a discriminator of [t, t] and [t, G(s)]), joint (a conditional GAN of (t, s), gradients through
        both branches) or gaussian (variational, not adversarial).
    entropy.steps: updates of the discriminator before each main update; gaussian has none.
    entropy.width: of the hidden layers of discriminator and generator: most of a step of a small student is theirs.
    entropy.shape: of the ramp and the decay of gamma.
    auxiliary: frozen (trained beforehand) or joint (trained inside the trial, on its own labels alone: a model that
        follows the student would pull the teacher to it).
    detach_teacher: True is the control in which I(T;S) trains the student alone.
    with_kd: adds logit distillation.

Chen, Xing, Wang, Zhang. Enhanced Multimodal Representation Learning with Cross-modal KD. CVPR 2023, arXiv:2306.07646
"""

from kdsweep import objective
from kdsweep.methods import TEMPERED
from kdsweep.values.space import Float

ESTIMATORS = ("infonce", "crd", "js", "nwj", "smile", "club")
WITH_TEMPERATURE = ESTIMATORS[:-1]
ADVERSARIAL = ("pair", "joint")

TEACHER = "joint"
TERMS = ("ce", "ce_teacher", "ce_auxiliary", "mi_teacher", "mi_auxiliary", "entropy", "kd")
BASE = ("ce_teacher", "ce_auxiliary")
CHOICES = {
    "mi_teacher_estimator": ESTIMATORS,
    "mi_auxiliary_estimator": ESTIMATORS,
    "entropy_form": ("pair", "joint", "gaussian"),
    "entropy_steps": (1, 2, 5),
    "entropy_width": (256, 64, 128),
    "entropy_shape": ("linear", "cosine"),
    "auxiliary": ("frozen", "joint"),
    "detach_teacher": (False, True),
    "with_kd": (False, True),
}
WHEN = {
    "ce_auxiliary": {"auxiliary": ("joint",)},
    "kd": {"with_kd": (True,)},
    "kd.temperature": {"task": TEMPERED},
    "mi_teacher.temperature": {"mi_teacher_estimator": WITH_TEMPERATURE},
    "mi_teacher.critic_lr": {"mi_teacher_estimator": ("club",)},
    "mi_auxiliary.temperature": {"mi_auxiliary_estimator": WITH_TEMPERATURE},
    "mi_auxiliary.critic_lr": {"mi_auxiliary_estimator": ("club",)},
    "entropy.critic_lr": {"entropy_form": ADVERSARIAL},
    "entropy.reconstruction": {"entropy_form": ("joint",)},
}
SPACE = {
    "mi_teacher.weight": Float(0.05, 5.0, log=True),
    "mi_teacher.temperature": Float(0.03, 0.5, log=True),
    "mi_teacher.critic_lr": Float(0.1, 4.0, log=True),
    "mi_auxiliary.weight": Float(0.05, 5.0, log=True),
    "mi_auxiliary.temperature": Float(0.03, 0.5, log=True),
    "mi_auxiliary.critic_lr": Float(0.1, 4.0, log=True),
    "entropy.weight": Float(0.01, 2.0, log=True),
    "entropy.start": Float(0.0, 0.5),
    "entropy.ramp": Float(0.0, 0.3),
    "entropy.critic_lr": Float(0.1, 4.0, log=True),
    "entropy.reconstruction": Float(0.1, 10.0, log=True),
    "kd.weight": Float(0.1, 10.0, log=True),
    "kd.temperature": Float(1.0, 8.0, log=True),
}


def AUXILIARY(auxiliary: str, **_: object) -> str:
    return auxiliary


def build(
    mi_teacher_estimator: str = "infonce",
    mi_auxiliary_estimator: str = "infonce",
    entropy_form: str = "pair",
    entropy_steps: int = 1,
    entropy_width: int = 256,
    entropy_shape: str = "linear",
    auxiliary: str = "frozen",
    detach_teacher: bool = False,
    with_kd: bool = False,
) -> "objective.Objective":
    terms: dict[str, objective.Term] = {
        "ce": objective.CrossEntropy(),
        "ce_teacher": objective.CrossEntropy("teacher"),
    }
    if auxiliary == "joint":
        terms["ce_auxiliary"] = objective.CrossEntropy("auxiliary")
    terms["mi_teacher"] = objective.MutualInformation(
        "teacher",
        "student",
        estimator=mi_teacher_estimator,
        temperature=0.1,
        detached=("teacher",) if detach_teacher else (),
        after=objective.PairEntropy.papers[:1],
    )
    terms["mi_auxiliary"] = objective.MutualInformation(
        "teacher",
        "auxiliary",
        estimator=mi_auxiliary_estimator,
        temperature=0.1,
        detached=("auxiliary",),
        after=objective.PairEntropy.papers[:1],
    )
    terms["entropy"] = _entropy(entropy_form, entropy_steps, entropy_width, entropy_shape)
    if with_kd:
        terms["kd"] = objective.SoftLogits(temperature=4.0, weight=1.0)
    return objective.Objective(**terms)


def _entropy(form: str, steps: int, width: int, shape: str) -> "objective.Term":
    given = {"width": width, "shape": shape, "weight": 0.1, "start": 0.1, "ramp": 0.1}
    if form == "gaussian":
        return objective.GaussianEntropy(**given)
    return {"pair": objective.PairEntropy, "joint": objective.JointEntropy}[form](steps=steps, **given)
