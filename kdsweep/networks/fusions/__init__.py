"""One fusion a file: `gated` is `gated.Fusion`."""
