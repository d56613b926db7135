"""Training one trial. Nothing here knows about sweeps."""

import os

# MKL's products then do not depend on where in memory a lane begins: a member of a pack whose rows are an odd number of
# bytes would know its lane. MKL reads it at its first product; a user's own setting stays.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

# Raised when a change to the engine moves numbers: it is part of every trial's identity.
REVISION = 4
