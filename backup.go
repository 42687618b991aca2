package genesis

import "time"

// BackupFormat is the format number of the backups this program writes
// (docs/formats.md).
const BackupFormat = 1

// BackupRequest asks a node for a copy of its home.
type BackupRequest struct {
	// Path is absolute: a folder, which is made or brought up to date, or a file
	// ending in .tar.zst, which must not exist.
	Path   string `json:"path"`
	NoKeys bool   `json:"no_keys,omitempty"` // leave out keys/
}

// Backup is a backup that is whole.
type Backup struct {
	Path     string    `json:"path"`
	Digest   Digest    `json:"digest"` // of backup.json: names this state of this backup
	Node     NodeID    `json:"node"`
	Taken    time.Time `json:"taken"` // the moment the copy shows
	Keys     bool      `json:"keys"`
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	NewFiles int64     `json:"new_files"` // written now; the others were there from before
	NewBytes int64     `json:"new_bytes"`
}

// BackupManifest is backup.json, which is written last: what a backup holds.
type BackupManifest struct {
	Format     int       `json:"format"`
	Software   string    `json:"software"` // "genesis v0.3.0"
	Node       NodeID    `json:"node"`
	Home       string    `json:"home"` // path it was taken from
	HomeFormat int       `json:"home_format"`
	Taken      time.Time `json:"taken"`
	Keys       bool      `json:"keys"`
	// Checkpoints are those of the logs as they were copied, by path in the home.
	Checkpoints map[string]string `json:"checkpoints,omitempty"`
	Count       int64             `json:"count"`
	Bytes       int64             `json:"bytes"`
	Files       []BackupFile      `json:"-"` // in order of Path; the member "files" of backup.json
}

// BackupFile is one file of the home that was copied.
type BackupFile struct {
	Path   string `json:"path"` // in the home, with slashes
	Size   int64  `json:"size"`
	Digest Digest `json:"digest"`
}

// Restored is the outcome of restore.
type Restored struct {
	Home   string    `json:"home,omitempty"` // empty: the backup was only checked
	From   string    `json:"from"`
	Digest Digest    `json:"digest"` // of backup.json
	Node   NodeID    `json:"node"`
	Taken  time.Time `json:"taken"`
	Keys   bool      `json:"keys"`
	Files  int64     `json:"files"`
	Bytes  int64     `json:"bytes"`
}
