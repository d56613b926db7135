"""One term a file, named for its class: `SoftLogits` is in `soft_logits.py`. A leading underscore: what terms share."""
