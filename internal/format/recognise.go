package format

import (
	"fmt"

	"github.com/opengenesis/genesis"
)

// Recognise returns the driver that reads the stream, by its content and never
// by its name. Formats that Genesis knows but does not read are refused by
// name, with kind Unsupported; an empty stream is Invalid.
func Recognise(s *Stream, drivers []Driver) (Driver, error) {
	head, err := HeadOf(s)
	if err != nil {
		return nil, err
	}
	if len(head) == 0 {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: s.Name, Msg: "is empty"}
	}
	if name, hint := knownFormat(head); name != "" {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: s.Name,
			Msg: fmt.Sprintf("is %s, which is not read yet", name), Hint: hint}
	}
	var best Driver
	score := 0
	for _, d := range drivers {
		if m := d.Match(head); m > score {
			best, score = d, m
		}
	}
	if best == nil {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: s.Name,
			Msg:  "is of a format that is not recognised",
			Hint: "delimited text, JSON, JSON Lines, Parquet and XLSX are read, plain or in gzip, zstd or zip"}
	}
	return best, nil
}
