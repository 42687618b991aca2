// Package file keeps blobs in a folder:
//
//	format          "genesis blobs 1": the format number of the folder
//	ab/ab3f…        the object with that key, read-only, under its first two digits
//	tmp/PID-…/      temporary files of one process, and its pins
//	lock            held shared to show an object, exclusive to remove one
//
// An object is written to a temporary file in the same file system, flushed to
// the disk, and renamed; then the folder is flushed, so that after a crash the
// object is there whole or not at all. On Windows folders cannot be flushed; the
// rename alone has to do.
//
// Every open store has a temporary folder of its own, named by its process.
// Opening the store removes those whose process is gone.
package file
