package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/opengenesis/genesis"
)

// meterAfter is how long work may take before a bar is worth the glance.
const meterAfter = time.Second

// meter shows events on stderr: a bar per stage, with rate and time left, if
// stderr is a terminal; lines for the log always.
type meter struct {
	w     io.Writer
	bars  bool
	start time.Time

	mu    sync.Mutex
	stage string
	text  string // what the bar says now
	bar   *progressbar.ProgressBar
}

func newMeter(w io.Writer) *meter {
	return &meter{w: w, bars: isTerminal(w), start: time.Now()}
}

// event is a genesis.Progress.
func (m *meter) event(e genesis.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Log != "" {
		m.clear()
		fmt.Fprintf(m.w, "genesis: %s\n", clean(e.Log))
		return
	}
	if !m.bars {
		return
	}
	if m.bar == nil || m.stage != e.Stage {
		m.clear()
		m.stage, m.text, m.bar = e.Stage, describe(e), m.newBar(e)
	}
	if text := describe(e); text != m.text {
		m.text = text
		m.bar.Describe(text)
	}
	if e.Total > 0 && e.Total != m.bar.GetMax64() {
		m.bar.ChangeMax64(e.Total)
	}
	_ = m.bar.Set64(e.Done) // a bar beyond its end is no reason to stop
}

func (m *meter) newBar(e genesis.Event) *progressbar.ProgressBar {
	total := e.Total
	if total <= 0 {
		total = -1 // a spinner with a rate
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(later{m}),
		progressbar.OptionSetDescription(describe(e)),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionShowElapsedTimeOnFinish(),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(24),
	}
	if e.Total > 0 || e.Unit != "" {
		options = append(options, progressbar.OptionShowCount())
	}
	switch e.Unit {
	case "bytes":
		options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true))
	case "rows", "entries": // of few and slow things, such as epochs, the time that is left says more
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString(e.Unit))
	}
	return progressbar.NewOptions64(total, options...)
}

// later is the terminal after the first second. A bar is made when its stage
// begins, so that its rate is true, and seen only if the work takes long.
type later struct{ *meter }

func (l later) Write(p []byte) (int, error) {
	if time.Since(l.start) < meterAfter {
		return len(p), nil
	}
	return l.w.Write(p)
}

func describe(e genesis.Event) string {
	text := pad(clean(e.Stage), 10)
	if e.Note != "" {
		text += " " + clean(e.Note)
	}
	return text
}

// clear takes the bar off the screen.
func (m *meter) clear() {
	if m.bar != nil {
		_ = m.bar.Clear()
		m.bar = nil
	}
}

func (m *meter) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	m.bars = false
}
