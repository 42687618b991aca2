package genesis

// Principal is who asks.
type Principal struct {
	Subject string `json:"subject"`
	Node    NodeID `json:"node"`
	Steward bool   `json:"steward"`
}

// Action is what is asked for.
type Action string

const (
	Discover Action = "discover"
	Read     Action = "read"
	TrainOn  Action = "train"
	Infer    Action = "infer"
	Evaluate Action = "evaluate"
	Request  Action = "request"
	Steward  Action = "steward"
	Operate  Action = "operate"
)
