package journal

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// onDisk makes a journal that syncs.
func onDisk(c *Config) { c.Disk, c.Interval = disk.OS, defaultLag }

// BenchmarkAppend has 512 writers wait for their entries to be synced. The
// metric settled/s is the rate at which they also reached the log.
func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct {
		name  string
		event Event
	}{
		{"plain", Event{Actor: "nrel/ada", Act: "read", Outcome: genesis.Allowed, Subject: "turbines", Version: genesis.DigestOf(nil), Rule: "registered", Sector: genesis.University, Institution: "MIT"}},
		{"purpose", Event{Actor: "nrel/ada", Act: "read", Outcome: genesis.Allowed, Subject: "turbines", Version: genesis.DigestOf(nil), Rule: "registered", Purpose: "wake losses in winter", Detail: json.RawMessage(`{"rows":512}`)}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			h := start(b, b.TempDir(), onDisk)
			const writers = 512
			began := time.Now()
			b.ResetTimer()
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for i := w; i < b.N; i += writers {
						if err := h.Append(context.Background(), bench.event); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			acknowledged := time.Since(began)
			h.settled()
			b.ReportMetric(float64(b.N)/acknowledged.Seconds(), "entries/s")
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "settled/s")
		})
	}
}

// BenchmarkOneWriter is what an entry adds to a request that is alone.
func BenchmarkOneWriter(b *testing.B) {
	h := start(b, b.TempDir(), onDisk)
	for b.Loop() {
		h.appended(read("ada", 1))
	}
}

// BenchmarkVerify computes a log of 20,000 entries anew.
func BenchmarkVerify(b *testing.B) {
	h := start(b, b.TempDir())
	const entries = 20_000
	for i := range entries {
		h.appended(read("ada", i))
	}
	h.settled()
	for b.Loop() {
		h.holds(entries)
	}
	b.ReportMetric(float64(b.N)*entries/b.Elapsed().Seconds(), "entries/s")
}
