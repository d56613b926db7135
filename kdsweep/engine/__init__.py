"""Training one trial. Nothing here knows about sweeps."""

# Raised when a change to the engine moves numbers: it is part of every trial's identity.
REVISION = 5
