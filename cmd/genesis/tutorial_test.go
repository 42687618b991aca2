//go:build linux || darwin

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// typed is a command of a tutorial and the lines that follow it there.
type typed struct {
	line    int // of the document
	command string
	shows   []string
}

// commandsOf reads the blocks of a document that are marked as console: what begins with
// "$ " is typed, with continuations after a backslash; what follows is shown, where "…"
// stands for anything.
func commandsOf(text string) (all []typed) {
	inside, more := false, false
	for n, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case !inside:
		case more:
			last := &all[len(all)-1]
			last.command += "\n" + line
			more = strings.HasSuffix(line, `\`)
		case strings.HasPrefix(line, "$ "):
			all = append(all, typed{line: n + 1, command: line[2:]})
			more = strings.HasSuffix(line, `\`)
		case len(all) > 0 && strings.TrimSpace(line) != "":
			last := &all[len(all)-1]
			last.shows = append(last.shows, line)
		}
	}
	return all
}

// TestTutorial types docs/tutorial.md into a shell, and sees what it says one sees.
func TestTutorial(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains as one would")
	}
	b, err := os.ReadFile("../../docs/tutorial.md")
	if err != nil {
		t.Fatal(err)
	}
	text, all := portsOf(t, string(b)), []typed(nil)
	if all = commandsOf(text); len(all) < 20 {
		t.Fatalf("the tutorial has %d commands", len(all))
	}
	outputs, status := play(t, all)
	for i, c := range all {
		out, ran := outputs[i]
		if !ran {
			t.Fatalf("line %d: %s: the shell ended before (%v)", c.line, c.command, status)
		}
		if missing := absent(out, c.shows); missing != "" {
			t.Fatalf("line %d: %s\nhas to show\n%s\nand shows\n%s", c.line, c.command, missing, out)
		}
	}
}

// portsOf puts ports in place of those of the tutorial on which nobody listens.
func portsOf(t *testing.T, text string) string {
	for _, port := range []string{"8481", "8482", "8483"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		text = strings.ReplaceAll(text, port, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return text
}

// play types commands into one shell, one after the other, and returns what each printed.
func play(t *testing.T, all []typed) (outputs map[int]string, status error) {
	t.Helper()
	dir := t.TempDir()
	if err := unpackExamples(filepath.Join(dir, "examples")); err != nil {
		t.Fatal(err)
	}
	const mark = "\x1e@@ "
	var script strings.Builder
	for i, c := range all {
		fmt.Fprintf(&script, "%s\nprintf '%s%d\\n'\n", c.command, mark, i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sh := exec.CommandContext(ctx, "sh", "-c", script.String())
	sh.Dir = dir
	sh.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir+"/config", "XDG_DATA_HOME="+dir+"/data", "TZ=UTC", "GENESIS_HOME=", "GENESIS_NODE=", "GENESIS_TOKEN=")
	sh.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	sh.Cancel = func() error { return syscall.Kill(-sh.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	sh.Stdout, sh.Stderr, sh.WaitDelay = &out, &out, 10*time.Second
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	group := sh.Process.Pid
	t.Cleanup(func() { _ = syscall.Kill(-group, syscall.SIGTERM) })
	status = sh.Wait()
	outputs = map[int]string{}
	rest := out.String()
	for i := range all {
		said, after, ok := strings.Cut(rest, fmt.Sprintf("%s%d\n", mark, i))
		if !ok {
			outputs[i] = rest // of the one that ended the shell, or that it hung in
			break
		}
		outputs[i], rest = said, after
	}
	return outputs, status
}

// absent returns the first line that an output does not have, in order.
func absent(out string, lines []string) string {
	for _, line := range lines {
		var pattern strings.Builder
		for i, part := range strings.Split(strings.TrimSpace(line), "…") {
			if i > 0 {
				pattern.WriteString(".*")
			}
			pattern.WriteString(regexp.QuoteMeta(part))
		}
		at := regexp.MustCompile(pattern.String()).FindStringIndex(out)
		if at == nil {
			return line
		}
		out = out[at[1]:]
	}
	return ""
}
