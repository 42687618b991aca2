package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// usage is what one run of a command took.
type usage struct {
	wall, cpu time.Duration
	rss       int64 // bytes, the largest of its processes
}

// once runs commands one after the other and adds up what they take.
func (c config) once(commands ...[]string) (usage, error) {
	var u usage
	for _, args := range commands {
		if c.cores != "" {
			args = append([]string{"taskset", "-c", c.cores}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if err != nil {
			return u, fmt.Errorf("%v: %v\n%s", args, err, out)
		}
		u.wall += time.Since(start)
		u.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			u.rss = max(u.rss, ru.Maxrss*1024)
		}
	}
	return u, nil
}

// comparison is the outcome of interleaved pairs.
type comparison struct{ a, b []usage }

// compare runs a and b in turn, once unmeasured to warm caches and then so many
// pairs.
func (c config) compare(name string, a, b func() (usage, error)) (comparison, error) {
	var out comparison
	for i := range c.pairs + 1 {
		ua, err := a()
		if err != nil {
			return out, err
		}
		ub, err := b()
		if err != nil {
			return out, err
		}
		log.Printf("%s: pair %d of %d: %.2f s beside %.2f s, ratio %.2f", name, i, c.pairs, ua.wall.Seconds(), ub.wall.Seconds(), ua.wall.Seconds()/ub.wall.Seconds())
		if i > 0 {
			out.a, out.b = append(out.a, ua), append(out.b, ub)
		}
	}
	return out, nil
}

// ratio returns median and range of f(a)/f(b) over the pairs.
func (c comparison) ratio(f func(usage) float64) string {
	var r []float64
	for i := range c.a {
		r = append(r, f(c.a[i])/f(c.b[i]))
	}
	slices.Sort(r)
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", r[len(r)/2], r[0], r[len(r)-1])
}

func median(list []usage, f func(usage) float64) float64 {
	var v []float64
	for _, u := range list {
		v = append(v, f(u))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

func wall(u usage) float64 { return u.wall.Seconds() }
func cpu(u usage) float64  { return u.cpu.Seconds() }
func rss(u usage) float64  { return float64(u.rss) / 1e6 }

func removeAll(paths ...string) {
	for _, p := range paths {
		os.RemoveAll(p)
	}
}
