// Package nn holds layers, losses, optimisers and kernels of neural networks.
// It knows nothing of datasets: it sees matrices of float32.
//
// A [Net] is a chain of [Layer]s over one flat parameter vector, so that the
// optimiser, a checkpoint and a reduction over gradients are loops over one
// slice. Layers hold no state: what a pass needs lives in a [Workspace], one
// per goroutine, and a minibatch can be cut into shards that are worked on at
// the same time. Gradients of shards are added in the order of the shards, so
// the result does not depend on how many goroutines did the work.
//
// All heavy arithmetic goes through one function, [multiply] in kernel.go:
// products of packed panels. It is plain Go; an assembly kernel can replace
// its inner tile without anything else changing. Every element of a product is
// summed in the order of the inner dimension whatever the shape, so a row's
// result does not depend on which rows are computed with it.
//
// Randomness is counter-based ([Rand], dropout masks): it is a function of
// seed, step, row and column, never of the order in which goroutines ran.
package nn
