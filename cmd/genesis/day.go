package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// day is a point in time as people write it: a date (00:00 UTC), an RFC 3339
// time, or days from now ("90d").
type day struct{ time.Time }

// UnmarshalText reads the text form.
func (d *day) UnmarshalText(b []byte) error {
	text := strings.TrimSpace(string(b))
	if n, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days < 100_000 {
			d.Time = time.Now().UTC().AddDate(0, 0, days)
			return nil
		}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			d.Time = t.UTC()
			return nil
		}
	}
	return &genesis.Error{Op: "read date", Kind: genesis.Invalid, Subject: text, Msg: "is not a date",
		Hint: "write 2027-01-31, 2027-01-31T12:00:00Z, or 90d for ninety days from now"}
}

// dateText is how a time is shown where the day is what matters.
func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// momentText is how a time is shown where its hour may matter: midnight is the day.
func momentText(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return dateText(t)
	}
	return t.Format("2006-01-02 15:04:05") + " UTC"
}
