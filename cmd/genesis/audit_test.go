package main

import (
	"testing"
	"time"
)

func TestPast(t *testing.T) {
	for text, ago := range map[string]time.Duration{"30m": 30 * time.Minute, "12h": 12 * time.Hour, "1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour} {
		var at past
		err := at.UnmarshalText([]byte(text))
		if d := time.Since(at.Time) - ago; err != nil || d < 0 || d > time.Minute {
			t.Errorf("%s is %v, %v", text, at, err)
		}
	}
	for text, want := range map[string]time.Time{
		"2027-01-31":                time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-31T12:00:00+02:00": time.Date(2027, 1, 31, 10, 0, 0, 0, time.UTC),
	} {
		var at past
		if err := at.UnmarshalText([]byte(text)); err != nil || !at.Equal(want) {
			t.Errorf("%s is %v, %v", text, at, err)
		}
	}
	for _, text := range []string{"", "d", "0d", "-1d", "1y", "1.5h", "1d2h", "yesterday", "999999w", "2027-13-01"} {
		var at past
		if err := at.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, at)
		}
	}
}
