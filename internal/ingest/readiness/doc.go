// Package readiness judges how ready a dataset version is to be found, reached,
// combined, reused, governed and learnt from: the six capability groups of the
// Genesis Mission data card. Each check is a pure function of the version's
// records ([Input]); it reads no data and no clock, so the same records give the
// same report.
//
// A verdict is pass, fail, unknown (the records do not tell) or not applicable
// (the question does not arise), and carries its evidence, why it matters for
// learning, and for fail and unknown the command that mends it.
//
// The checks stand in lists by group, in the order of the report. Each says in
// words what it asks, when it passes and why; docs/readiness.md is written from
// these words, and a test holds the two together (go test -update).
package readiness
