package genesis

// Sweep is the outcome of removing bytes that nothing refers to, and runs that are
// kept no longer.
type Sweep struct {
	Blobs    int64 `json:"blobs"` // removed, or that would be
	Bytes    int64 `json:"bytes"`
	Kept     int64 `json:"kept"`      // in use
	Young    int64 `json:"young"`     // of no use, but written less than Grace ago
	Grace    int64 `json:"grace"`     // seconds
	Runs     int64 `json:"runs"`      // removed, or that would be
	LogBytes int64 `json:"log_bytes"` // of their logs
	DryRun   bool  `json:"dry_run,omitempty"`
}

// Purge is the outcome of removing a version's bytes for good.
type Purge struct {
	Version Version  `json:"version"`
	Blobs   int64    `json:"blobs"`
	Bytes   int64    `json:"bytes"`
	Shared  []Digest `json:"shared,omitempty"`  // kept: other versions need them
	Runs    int64    `json:"runs"`              // that made or used it: nothing is left of what they came to
	Uploads int64    `json:"uploads"`           // of the files it was made from
	Derived []Ref    `json:"derived,omitempty"` // versions made from it, which a person must look at
	Backups bool     `json:"backups"`           // true: earlier backups of this home still hold the bytes
}
