// Package learn makes a model of a table and predicts with it.
//
// [Train] goes through these steps, one file each:
//
//   - schema.go, feature.go, formula.go: which columns to learn from and how
//     each becomes numbers, learned from training rows alone (a pipeline);
//   - target.go: what is predicted: a number, one of two classes, one of many;
//   - task.go: which rows are for what. The optimiser and early stopping see
//     rows of part Train; intervals are calibrated on rows that neither saw;
//     part Test is only measured;
//   - plan.go: size of the nets, epochs, minibatch, chosen from the size of the
//     data (docs/learning.md tells on what evidence);
//   - fit.go, checkpoint.go: the epochs of an ensemble of nets (internal/nn);
//   - conformal.go, ood.go: intervals that hold, and the flag on rows unlike
//     those learned from;
//   - reference.go, forest.go, metric.go, report.go: what it is worth, beside a
//     trivial predictor, ridge regression and a forest.
//
// [Model.Predict] is the way back, and [Model.Parts] and [Load] the way to disk:
// weights as safetensors, everything else as canonical JSON.
//
// The result is a function of data, options and seed, to the bit, whatever the
// number of goroutines: they share work in pieces that do not depend on their
// number, and sums are taken in a fixed order. (On another processor
// architecture the last bits may differ: some fuse multiplication and addition.)
package learn
