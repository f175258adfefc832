"""Every rule that judges a candidate, each defined in the module that checks it."""

from mlops.gate.champion import CHAMPION_RAN, NOT_WORSE
from mlops.gate.data import DATA_CHECKED, HELD_OUT
from mlops.gate.export import EXPORTED
from mlops.gate.leakage import BELIEVABLE, LEAKING
from mlops.gate.metrics import BOUND, CALIBRATED, CONSTANT, ENOUGH, FINITE
from mlops.gate.parity import PARITY
from mlops.gate.quality import FROZEN, MISSING, TWINS, UNSEEN, VOLUME
from mlops.gate.slices import SLICES
from mlops.gate.training import BUDGET, NO_PICKLE, SAME_TWICE

RULES = (
    DATA_CHECKED,
    VOLUME,
    MISSING,
    UNSEEN,
    FROZEN,
    TWINS,
    HELD_OUT,
    FINITE,
    BOUND,
    CONSTANT,
    ENOUGH,
    CHAMPION_RAN,
    NOT_WORSE,
    SLICES,
    LEAKING,
    BELIEVABLE,
    BUDGET,
    SAME_TWICE,
    CALIBRATED,
    NO_PICKLE,
    PARITY,
    EXPORTED,
)
