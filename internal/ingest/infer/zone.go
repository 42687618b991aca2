package infer

import (
	"strings"
	"time"
	_ "time/tzdata" // zones by name, where the machine has no table of them

	"github.com/opengenesis/genesis"
)

// SkippedTime is the rule that a local time breaks which its zone leaves out,
// because clocks went forward over it.
const SkippedTime = "not a time of the zone: clocks went forward over it"

func (c *Converter) prepareZone() error {
	z := c.reading.Zone
	switch z {
	case "", "UTC", "unstated", "mixed":
		return nil
	}
	if m, ok := zoneOffset([]byte(z)); ok {
		if !c.form.zoned {
			c.zone = m
		}
		return nil
	}
	place, err := time.LoadLocation(z)
	if err != nil || strings.EqualFold(z, "local") {
		return readingError(z, "is not a zone that is understood", `zone is UTC, unstated, an offset such as "+01:00", or a name such as Europe/Berlin`)
	}
	if !c.form.zoned && c.epoch == 0 && c.reading.Type == genesis.Timestamp {
		c.place = place
	}
	return nil
}

// utc returns the instant of a local time, in microseconds, of the converter's
// place. Of an hour that is repeated the first is taken, and counted; one that is
// left out has no instant.
func (c *Converter) utc(local int64) (int64, bool) {
	const day = dayMicros
	before, after := c.offset(local-day), c.offset(local+day)
	first, second := local-before, local-after
	if before == after {
		return first, true
	}
	early, late := c.offset(first) == before, c.offset(second) == after
	if early && late {
		c.repeated++
	}
	if early {
		return first, true
	}
	return second, late
}

// offset is how far local times are ahead of UTC at an instant, in microseconds.
func (c *Converter) offset(micros int64) int64 {
	_, seconds := time.UnixMicro(micros).In(c.place).Zone()
	return int64(seconds) * 1e6
}

// Repeated is how many local times were met that their zone has twice.
func (c *Converter) Repeated() int64 { return c.repeated }
