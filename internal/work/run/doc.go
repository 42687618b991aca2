// Package run keeps executions of work. A run is a row of the database before
// anything happens, so that it can be listed, watched, canceled, and found again
// after a crash. A [Manager] queues runs, fair to the people who ask, starts a
// limited number at once, and tries one again whose process was killed.
//
// The work itself happens in a child process, `genesis worker`, for three
// reasons: a raw file that breaks its reader, or a table that does not fit in
// memory, takes down that run and not the node; memory and time can be enforced
// by the system; and what is canceled stops at once. The child is told all it
// needs on its standard input and as open descriptors, writes blobs, and answers
// with lines of JSON. It never touches the database and decides nothing: what it
// answers is an outcome, bytes to the manager, of whose meaning only the
// functions of [Config] know. The manager commits the outcome and the run's end
// in one transaction, on condition that the run goes on. So a run may execute
// more than once, and one result commits.
//
// # The life of a run
//
//	            ┌──────── killed, or the node stopped ───────┐
//	            ▼                                            │
//	submitted: queued ──► running ──► outcome committed: done
//	            │            ├──────► error, limit, revoked: failed
//	            └────────────┴──────► asked to stop: canceled
//
// A child that ends without an answer was killed or is broken; it is tried again,
// three times in all, also across restarts of the node. Too much memory, too much
// time, withdrawn access and an answer that is an error are final. Files that were
// handed over as open descriptors are gone when the node is, and so is the caller
// who waits: such a run is failed at the next start, with what to do. Runs that
// nobody waits for have copies of their files in the manager's folder, and go on.
//
// # Between parent and child
//
// The parent writes one [Job] to the child's standard input and keeps the pipe
// open; when it closes, because the parent is gone, the child exits. Files are
// descriptors 3, 4, …, in the order of the job. The child writes lines of
// [genesis.Line]: any number of events, then one result or error. What it writes
// to its standard error becomes the run's log. The parent believes nothing: lines
// are bounded, and what does not parse ends the run.
package run
