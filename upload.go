package genesis

import "time"

// UploadRequest opens an upload session: a file that comes in by parts and is
// resumed where it broke off.
type UploadRequest struct {
	Name   string `json:"name" minLength:"1" maxLength:"1000"` // as the person calls the file
	Size   *int64 `json:"size,omitempty" minimum:"0"`          // bytes, when known
	SHA256 Digest `json:"sha256,omitempty" maxLength:"71"`     // of the whole file, when known
}

// Upload is an upload session. It can be used as a file only once it is
// complete: all its bytes are on the disk, and have the size and the digest
// that were announced.
type Upload struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Offset   int64     `json:"offset"` // bytes that are on the disk: where to go on
	Size     *int64    `json:"size,omitempty"`
	SHA256   Digest    `json:"sha256,omitempty"` // announced; of what arrived, once complete
	Complete bool      `json:"complete"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"` // unless something arrives before
}

// Ref names the uploaded file in a request.
func (u Upload) Ref() FileRef { return FileRef{Path: u.Name, Token: UploadToken + u.ID} }

// What a FileRef's token may begin with instead of being that of a descriptor.
const (
	UploadToken = "upload:" // and the id of a complete upload
	PathToken   = "path:"   // and a path at the node, under a root its configuration lists
)

// UploadPage is one page of a person's uploads, oldest first.
type UploadPage struct {
	Uploads []Upload `json:"uploads"`
}
