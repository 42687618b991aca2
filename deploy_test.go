package genesis_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unit reads a systemd unit: values by key, in order.
func unit(t *testing.T, path string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			keys[key] = append(keys[key], value)
		}
	}
	return keys
}

// TestServiceIsLockedDown holds the systemd unit to what docs/operations.md and
// docs/security.md promise of it.
func TestServiceIsLockedDown(t *testing.T) {
	keys := unit(t, "deploy/genesis.service")
	for key, want := range map[string]string{
		"User": "genesis", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
		"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes",
		"ProtectKernelModules": "yes", "ProtectKernelTunables": "yes", "ProtectControlGroups": "yes", "LockPersonality": "yes",
		"MemoryDenyWriteExecute": "yes", "SystemCallArchitectures": "native", "UMask": "0077", "StateDirectoryMode": "0700",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "StateDirectory": "genesis genesis-backup", "LimitCORE": "0",
		"ExecReload": "/bin/kill -HUP $MAINPID", "ExecStart": "/usr/local/bin/genesis serve --home /var/lib/genesis",
	} {
		if got := keys[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"MemoryMax", "MemoryHigh", "TasksMax", "LimitNOFILE", "TimeoutStopSec"} {
		if len(keys[key]) != 1 || keys[key][0] == "" || keys[key][0] == "infinity" {
			t.Errorf("%s is %q: the node is not bounded", key, keys[key])
		}
	}
	if want := []string{"@system-service", "~@privileged"}; !slices.Equal(keys["SystemCallFilter"], want) {
		t.Errorf("SystemCallFilter is %q, want %q", keys["SystemCallFilter"], want)
	}
}

// TestServiceIsSound asks systemd itself, where it is there.
func TestServiceIsSound(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if strings.Contains(os.Getenv("GENESIS_TEST_REQUIRE"), "systemd") {
			t.Fatal(err)
		}
		t.Skip("systemd-analyze is not here")
	}
	b, err := os.ReadFile("deploy/genesis.service")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "genesis.service") // with a program that is there
	text := strings.ReplaceAll(string(b), "/usr/local/bin/genesis", "/bin/true")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || len(strings.TrimSpace(string(out))) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err = exec.Command(analyze, "security", "--offline=true", "--threshold=25", path).CombinedOutput() // 2.5 of 10
	if err != nil && !strings.Contains(string(out), "unrecognized option") {
		t.Errorf("systemd-analyze security: %v\n%s", err, out[max(0, len(out)-300):])
	}
}

// TestContainerfile: its last stage is from nothing, run by nobody, checked by
// the program itself, with a volume for all it writes that its user owns.
func TestContainerfile(t *testing.T) {
	b, err := os.ReadFile("deploy/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string // of the last stage
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "FROM ") {
			lines = nil
		}
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	for _, want := range []string{"FROM scratch", "USER 65532:65532", "VOLUME /home/genesis", `ENTRYPOINT ["/genesis"]`, "STOPSIGNAL SIGTERM",
		"ENV GENESIS_HOME=/home/genesis TMPDIR=/home/genesis/tmp", "COPY --from=build --chown=65532:65532 /out/home /home",
		"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt"} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no %q", want)
		}
	}
	health := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "HEALTHCHECK ") })
	if health < 0 || !strings.HasSuffix(lines[health], `CMD ["/genesis", "health"]`) {
		t.Error("the program does not check its own health")
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "RUN ") || strings.HasPrefix(line, "ADD ") {
			t.Errorf("%q brings in more than the program", line)
		}
	}
}
