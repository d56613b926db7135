"""One encoder a file: `cnn` is `cnn.Encoder`."""
