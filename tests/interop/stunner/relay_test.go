// The relay under test: a process started as the operator's pod specification starts it, in a network of its own.

package interop

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	relayProgram    = flag.String("relay", "", "the relay under test: uturn, or stunnerd for reference")
	isReference     = flag.Bool("reference", false, "the relay under test is the real stunnerd: what it is known to do worse is not asked of it")
	stunnerdProgram = flag.String("stunnerd", "", "the real stunnerd")
	theirTurncat    = flag.String("stunner-turncat", "", "the real turncat")
	ourTurncat      = flag.String("turncat", "", "our turncat")
)

const (
	relayAddress = "10.244.0.10"
	namespace    = "stunner"
	gateway      = "udp-gateway"
	configID     = namespace + "/" + gateway
	healthURL    = "http://127.0.0.1:8086"
)

type process struct {
	t       *testing.T
	command *exec.Cmd
	ended   chan struct{}
	logPath string
}

// startProcess runs a program until the test ends; its output is shown when the test fails.
func startProcess(t *testing.T, environment []string, program string, arguments ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	must(t, err)
	p := &process{t: t, command: exec.Command(program, arguments...), ended: make(chan struct{}), logPath: log.Name()}
	p.command.Env = append([]string{"PATH=/usr/bin:/bin"}, environment...)
	p.command.Stdout, p.command.Stderr = log, log
	must(t, p.command.Start())
	log.Close()
	go func() {
		_ = p.command.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s %s:\n%s", program, strings.Join(arguments, " "), lastLines(p.log(), 60))
		}
	})
	return p
}

func (p *process) log() string {
	text, _ := os.ReadFile(p.logPath)
	return string(text)
}

func (p *process) kill() {
	_ = p.command.Process.Kill()
	<-p.ended
}

func (p *process) terminate() { _ = p.command.Process.Signal(syscall.SIGTERM) }

func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

// startDataplane has command, arguments and environment of the Deployment that STUNner's operator makes of a Gateway.
func startDataplane(t *testing.T, program string) *process {
	t.Helper()
	stunnerd := filepath.Join(t.TempDir(), "stunnerd")
	absolute, err := filepath.Abs(program)
	must(t, err)
	must(t, os.Symlink(absolute, stunnerd))
	return startProcess(t, []string{
		"STUNNER_ADDR=" + relayAddress,
		"STUNNER_NAME=" + gateway,
		"STUNNER_NAMESPACE=" + namespace,
		"STUNNER_NODENAME=node-1",
		"STUNNER_CONFIG_ORIGIN=http://" + cdsAddress,
	}, stunnerd, "-w", "--udp-thread-num=16", "--log-format=text")
}

func startRelay(t *testing.T) *process {
	t.Helper()
	relay := startDataplane(t, *relayProgram)
	eventually(t, 10*time.Second, "the health server answers", func() error {
		_, _, err := get("/live")
		return err
	})
	return relay
}

// get asks the relay's health server.
func get(path string) (status int, body string, err error) {
	return fetch(healthURL + path)
}

func fetch(url string) (int, string, error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

func statusIs(path string, wanted int) error {
	status, body, err := get(path)
	if err == nil && status != wanted {
		err = fmt.Errorf("%s: %d %s, not %d", path, status, strings.TrimSpace(body), wanted)
	}
	return err
}

func ready() error { return statusIs("/ready", http.StatusOK) }

// statusDocument is /status as plain maps and lists.
func statusDocument(t *testing.T) map[string]any {
	t.Helper()
	status, body, err := get("/status")
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("/status: %d %s", status, body)
	}
	document := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader([]byte(body)))
	must(t, decoder.Decode(&document))
	return document
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, limit time.Duration, what string, condition func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
