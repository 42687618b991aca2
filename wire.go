package genesis

import "time"

// InspectRequest asks what raw files are and hold.
type InspectRequest struct {
	Files   []FileRef      `json:"files"`
	Options PrepareOptions `json:"options,omitzero"`
}

// ListPage is one page of the catalogue's assets, in name order.
type ListPage struct {
	Assets []Asset `json:"assets"`
	Next   string  `json:"next,omitempty"` // cursor of the next page; empty on the last
}

// NodeInfo is what a node says about itself.
type NodeInfo struct {
	Node     NodeID    `json:"node"`
	Home     string    `json:"home,omitempty"` // told on the home's own socket only
	Software Software  `json:"software"`
	Started  time.Time `json:"started"`
}

// Line is one line of a long request's response, application/x-ndjson: any
// number of events, then exactly one result or error. A response that ends
// without either was cut off.
type Line[T any] struct {
	Event  *Event   `json:"event,omitempty"`
	Result *T       `json:"result,omitempty"`
	Error  *Problem `json:"error,omitempty"`
}
