"""One loop for every detector: samples, augmentation, schedule, averaging, checkpoints, resume, seeds."""
