// Package nn holds layers, losses, optimisers and kernels of neural networks.
// It knows nothing of datasets.
package nn
