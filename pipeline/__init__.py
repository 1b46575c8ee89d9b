"""Train float32 and binary networks on Fashion-MNIST and measure what binarization saves."""
