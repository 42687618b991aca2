package work

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
)

// stuck is a file that says when it is read, and answers when it may.
type stuck struct {
	io.ReaderAt
	read chan<- struct{}
	may  <-chan struct{}
}

func (s stuck) ReadAt(p []byte, off int64) (int, error) {
	select {
	case s.read <- struct{}{}:
	default:
	}
	<-s.may
	return s.ReaderAt.ReadAt(p, off)
}

// TestInspectionsAreBounded: few go on at once, of one person fewer, and none for
// long; the owner of the home is not limited.
func TestInspectionsAreBounded(t *testing.T) {
	s, _ := OpenTest(t)
	text := "a,b\n1,2\n3,4\n"
	whole := &format.Raw{Name: "x.csv", Size: int64(len(text)), At: strings.NewReader(text)}
	person := func(name string) genesis.Principal {
		return genesis.Principal{Subject: name, Node: "here", Assurance: genesis.AssuranceMFA}
	}
	inspect := func(who genesis.Principal, raw *format.Raw) error {
		_, err := s.Inspect(t.Context(), who, []*format.Raw{raw}, genesis.PrepareOptions{}, nil)
		return err
	}
	if err := inspect(person("ada"), whole); err != nil {
		t.Fatal(err)
	}
	may, done := make(chan struct{}), make(chan error, 10)
	begin := func(name string) {
		read := make(chan struct{}, 1)
		go func() {
			done <- inspect(person(name), &format.Raw{Name: "x.csv", Size: int64(len(text)), At: stuck{bytes.NewReader([]byte(text)), read, may}})
		}()
		<-read
	}
	begin("ada")
	begin("ada")
	if err := inspect(person("ada"), whole); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("a third of one person: %v", err)
	}
	begin("bob")
	begin("cyd")
	if err := inspect(person("dan"), whole); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("a fifth: %v", err)
	}
	if err := inspect(access.Local("here"), whole); err != nil {
		t.Errorf("the owner: %v", err)
	}
	close(may)
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	defer func(d time.Duration) { inspectTime = d }(inspectTime)
	inspectTime = 0
	err := inspect(person("ada"), whole)
	if genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "longer") {
		t.Errorf("takes too long: %v", err)
	}
	if err := inspect(access.Local("here"), whole); err != nil {
		t.Errorf("the owner: %v", err)
	}
	if s.inspecting.all != 0 || len(s.inspecting.by) != 0 {
		t.Errorf("room is not given back: %+v", s.inspecting.by)
	}
}
