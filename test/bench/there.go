package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const thereHeading = `## there

What it takes to have a training done at another node: two nodes on this machine, each a ` + "`genesis serve`" + ` with runs in
processes of their own, all pinned to the same cores. The first of a pair is ` + "`genesis train nrel/plants --there`" + ` asked of mit, whose
order goes by message; the second ` + "`genesis train plants`" + ` asked of nrel, on the same data with the same seed. The wall time of the whole command, %d pairs.

| training | there | here | more per training | ratio |
|---|---|---|---|---|
`

// thereTrainings are trainings by how long they take.
var thereTrainings = []struct {
	name string
	args []string
}{
	{"1 net, 1 epoch", []string{"--members", "1", "--epochs", "1"}},
	{"3 nets, 10 epochs", []string{"--members", "3", "--epochs", "10"}},
}

// there measures a training at another node beside the same at home.
func there(c config, genesis string) (string, error) {
	dir, err := os.MkdirTemp(c.dir, "there-*")
	if err != nil {
		return "", err
	}
	two := &twoNodes{config: c, genesis: genesis, dir: dir}
	defer two.stop()
	if err := two.start(); err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, thereHeading, c.pairs)
	for k, training := range thereTrainings {
		seed := 100 * k
		train := func(home, ref string, more ...string) func() (usage, error) {
			n := seed
			return func() (usage, error) {
				n++
				args := append([]string{genesis, "--home", filepath.Join(dir, home), "train", ref, "--target", "power", "--name", fmt.Sprintf("m%d-%s", n, home), "--seed", fmt.Sprint(n)}, more...)
				return c.once(append(args, training.args...))
			}
		}
		cmp, err := c.compare("there, "+training.name, train("mit", "nrel/plants", "--there"), train("nrel", "plants"))
		if err != nil {
			return "", err
		}
		wall := func(u usage) float64 { return u.wall.Seconds() }
		var more []usage
		for i := range cmp.a {
			more = append(more, usage{wall: cmp.a[i].wall - cmp.b[i].wall})
		}
		fmt.Fprintf(&out, "| %s | %.2f s | %.2f s | **%.0f ms** | %s |\n", training.name, median(cmp.a, wall), median(cmp.b, wall), 1000*median(more, wall), cmp.ratio(wall))
	}
	return out.String(), nil
}

// twoNodes are nrel and mit of one federation, served.
type twoNodes struct {
	config
	genesis, dir string
	nodes        []*exec.Cmd
}

func (t *twoNodes) start() error {
	for _, name := range []string{"nrel", "mit"} {
		if err := t.serveNamed(name); err != nil {
			return err
		}
	}
	plants := filepath.Join(t.dir, "plants.csv")
	if err := plantsTo(plants, 2000); err != nil {
		return err
	}
	if _, err := t.do("nrel", "", "federation", "create", "energy"); err != nil {
		return err
	}
	invitation, err := t.do("nrel", "", "federation", "invite", "MIT", "--sector", "university")
	if err != nil {
		return err
	}
	for _, step := range []struct {
		home, in string
		args     []string
	}{
		{"mit", invitation, []string{"federation", "join"}},
		{"nrel", "", []string{"prepare", plants, "--name", "plants", "--target", "power", "--no-proof"}},
		{"nrel", "", []string{"publish", "plants", "--tier", "registered"}},
	} {
		if _, err := t.do(step.home, step.in, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// do runs a command of a home and returns what it prints.
func (t *twoNodes) do(home, in string, args ...string) (string, error) {
	cmd := exec.Command(t.genesis, append([]string{"--home", filepath.Join(t.dir, home)}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%v: %v\n%s", args, err, errs.String())
	}
	return out.String(), nil
}

// serveNamed serves a node of its own at a port of its own.
func (t *twoNodes) serveNamed(name string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	l.Close()
	home := filepath.Join(t.dir, name)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("node: %s\ninstitution: The %s\nsector: laboratory\nurl: http://%s\nserve:\n  listen: %s\nlog:\n  level: error\n", name, name, addr, addr)
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	args := []string{t.genesis, "serve", "--home", home, "--json"}
	if t.cores != "" {
		args = append([]string{"taskset", "-c", t.cores}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	t.nodes = append(t.nodes, cmd)
	if !bufio.NewScanner(out).Scan() {
		return fmt.Errorf("%s is not served", name)
	}
	return nil
}

func (t *twoNodes) stop() {
	for _, cmd := range t.nodes {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		kill.Stop()
	}
}

// plantsTo writes a table of which the power follows from the rest.
func plantsTo(path string, rows int) error {
	var b bytes.Buffer
	b.WriteString("speed,temp,power\n")
	for i := range rows {
		speed, temp := 5+4*math.Sin(float64(i)*0.7), 10+10*math.Cos(float64(i)*1.3)
		fmt.Fprintf(&b, "%.3f,%.2f,%.3f\n", speed, temp, speed*speed*speed*1.7+temp)
	}
	return os.WriteFile(path, b.Bytes(), 0o600)
}
