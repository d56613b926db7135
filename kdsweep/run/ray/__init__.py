"""Run a study on Ray. The only folder that knows Ray; what it sets here is there before Ray is imported.

Tune gives placement, GPUs, another worker for one that dies, and the dashboard. It decides nothing: what runs next
comes from the plan, what has finished is what lies in the store, and Tune's own state is never read back.
"""

import os

# Read by Ray when it is imported: no result files and no console reporter of its own, no snapshots of a state that
# nobody restores, and Ctrl-C comes to us.
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Workers stay where the launch was made: a user's modules and data may be named relative to it.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}
