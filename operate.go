package genesis

// Sweep is the outcome of removing bytes that nothing refers to.
type Sweep struct {
	Blobs  int64 `json:"blobs"` // removed, or that would be
	Bytes  int64 `json:"bytes"`
	Kept   int64 `json:"kept"`
	DryRun bool  `json:"dry_run,omitempty"`
}

// Purge is the outcome of removing a version's bytes for good.
type Purge struct {
	Version Version  `json:"version"`
	Blobs   int64    `json:"blobs"`
	Bytes   int64    `json:"bytes"`
	Shared  []Digest `json:"shared,omitempty"`  // kept: other versions need them
	Derived []Ref    `json:"derived,omitempty"` // versions made from it, which a person must look at
	Backups bool     `json:"backups"`           // true: earlier backups of this home still hold the bytes
}
