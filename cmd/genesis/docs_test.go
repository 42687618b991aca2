package main

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/opengenesis/genesis"
)

func cliDoc(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// grpcNames are the names of gRPC's codes.
var grpcNames = map[int]string{1: "CANCELLED", 3: "INVALID_ARGUMENT", 5: "NOT_FOUND", 6: "ALREADY_EXISTS", 7: "PERMISSION_DENIED",
	9: "FAILED_PRECONDITION", 10: "ABORTED", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE"}

// TestStatuses holds the table of docs/cli.md against the code.
func TestStatuses(t *testing.T) {
	documented := map[genesis.ErrorKind][3]string{}
	for line := range strings.Lines(cliDoc(t)) {
		cells := strings.Split(line, "|")
		if len(cells) == 7 && !strings.Contains(cells[1], "---") {
			documented[genesis.ErrorKind(strings.TrimSpace(cells[1]))] = [3]string{strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])}
		}
	}
	for _, kind := range []genesis.ErrorKind{genesis.Invalid, genesis.NotFound, genesis.Gone, genesis.Exists, genesis.Private, genesis.Permission,
		genesis.Conflict, genesis.Unavailable, genesis.Unsupported, genesis.Canceled, genesis.Internal} {
		want := [3]string{strconv.Itoa(kind.ExitStatus()), strconv.Itoa(kind.HTTPStatus()), grpcNames[kind.GRPCCode()]}
		if documented[kind] != want {
			t.Errorf("docs/cli.md says %v for %s, the code %v", documented[kind], kind, want)
		}
	}
	if documented["(usage)"][0] != strconv.Itoa(exitUsage) {
		t.Errorf("docs/cli.md says %v for a wrong command line", documented["(usage)"])
	}
}

// TestCommandsAreDocumented: every command is in the table, and has help with
// an example of itself.
func TestCommandsAreDocumented(t *testing.T) {
	parser, err := kong.New(&commands{}, kong.Name("genesis"))
	if err != nil {
		t.Fatal(err)
	}
	doc := cliDoc(t)
	for _, leaf := range parser.Model.Leaves(true) {
		path := leaf.FullPath()
		if !strings.Contains(doc, "| `"+path) {
			t.Errorf("docs/cli.md does not list %s", path)
		}
		if !strings.Contains(leaf.Detail, "    "+path) {
			t.Errorf("the help of %s has no example", path)
		}
		if leaf.Help == "" {
			t.Errorf("%s has no help", path)
		}
	}
	for _, typ := range []any{genesis.NodeInfo{}, genesis.Inspection{}, genesis.Prepared{}, genesis.Description{}, genesis.ListPage{},
		genesis.SearchResult{}, genesis.SimilarList{}, genesis.Diff{}, genesis.Trained{}, genesis.Predicted{}, genesis.Verification{}, genesis.Software{},
		genesis.Backup{}, genesis.Restored{}} {
		if name := reflect.TypeOf(typ).Name(); !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/cli.md does not name %s", name)
		}
	}
}
