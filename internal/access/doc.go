// Package access answers one question: may P do A to R, now, for this purpose?
// It is the one door. Bytes, previews, search hits and counts, training, runs,
// predictions, exports and the acts of stewards all ask [Decider.Decide], and
// nothing decides beside it.
//
// A caller asks, records the decision in the journal, and acts only then:
// evidence before bytes. Recording is the caller's part because it happens in the
// transaction of the act.
//
// # Two sides
//
// A decision says whether the act is allowed, and whether the asker may know that
// the thing exists. To somebody who may not, a refusal is an error of kind Private,
// which is shown exactly as if there were no such thing. To everybody else it is
// useful: it names the rule, and what would be accepted.
//
// # What decides
//
// Few, static policies in Cedar (policy/*.cedar, embedded) hold the rules; an
// institution may add its own, which are validated against the same schema.
// Permits open, forbids close, and what nothing permits is refused. docs/policy.md
// has the tiers as a table, which the tests read.
//
// The policies judge facts that this package gathers: who asks (institution and
// sector from the [Charter], projects from the store, duties of home people only:
// never as the asker says), the terms of the version with the tier in force at that
// moment, and what the asker's grants come to. Grants are data, never policies: an
// index finds the active ones of (person, institution, sector, projects) for the
// asset, their conditions (CEL, bounded in cost, compiled once) are evaluated, and
// the outcome is a handful of booleans to the policies. So a decision costs the same
// with ten grants and with ten thousand.
//
// # Derived assets
//
// What was made from other things is judged together with all of them,
// transitively, by their terms as they are now: each must allow the act, too. A
// steward may lower what their source asks of one derived version ([Decider.Lower]).
// Whoever trained a model may infer and evaluate with it for as long as they may
// train on what it was made from.
//
// # Time
//
// Openings need no scheduler: the tier is computed from the terms and the time. So
// is expiry. A decision carries the time until which it cannot change by itself;
// until then, and within one generation, it may be answered again from the cache.
// Every change to what decisions are made from is one transaction, after whose
// commit the caller calls [Decider.Changed]: the generation moves on, the index reads
// the rows it has not seen, and every [Decider.Watch] asks again. That is how a
// revocation ends a download within a second.
//
// # Where to read
//
// access.go has the question and the answer; principal.go who asks; asset.go what
// is known of a thing; judge.go how policies and sources combine; policy.go how
// policies are loaded; index.go what is held in memory; terms.go, derive.go,
// grant.go, request.go and project.go what stewards and askers do; explain.go why,
// and what would change it.
package access
