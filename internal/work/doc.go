// Package work does what a node is asked to do. It composes what no other
// package may see at once: ingest and learn over one catalogue and one blob
// store. Every method first asks access whether the caller may (decide.go), makes
// the answer evidence, and changes what it changes in one transaction with its
// entry of the journal, so that work which fails or is stopped leaves nothing that
// looks whole.
//
// What takes long are runs (runs.go, package run). A [Workbench] computes them, in a
// process of its own that has the blobs and a task; the [Service] decides before and
// commits after. The files are named for what they serve: publish.go, terms.go, grants.go
// and requests.go stewards and those who ask them, door.go everybody at the door,
// officer.go those who keep the evidence and the node; allow.go and unread.go bound what
// may be learnt by people who may not read, redact.go what they are told.
package work
