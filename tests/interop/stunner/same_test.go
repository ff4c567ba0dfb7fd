// What the real stunnerd says over HTTP is what the relay says, given the same configuration and the same clients: probes, dashboards,
// `stunnerctl status` and autoscalers must not see the difference.

package interop

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"
)

type answer struct {
	code        int
	contentType string
	body        string
}

// account is all that one dataplane said in its life.
type account struct {
	liveFirst, readyFirst, live, ready, missing answer
	status                                      any
	metrics                                     map[string]string // series, without values: type
}

func TestHTTPSaysWhatStunnerdSays(t *testing.T) {
	theirs, ours := accountOf(t, *stunnerdProgram), accountOf(t, *relayProgram)
	for name, pair := range map[string][2]answer{
		"/live before the configuration": {theirs.liveFirst, ours.liveFirst}, "/ready before the configuration": {theirs.readyFirst, ours.readyFirst},
		"/live": {theirs.live, ours.live}, "/ready": {theirs.ready, ours.ready},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: stunnerd says %+v, the relay says %+v", name, pair[0], pair[1])
		}
	}
	if ours.missing.code != theirs.missing.code {
		t.Errorf("an unknown path: stunnerd says %d, the relay says %d", theirs.missing.code, ours.missing.code)
	}
	for _, difference := range lacks("status", theirs.status, ours.status) {
		t.Error(difference)
	}
	for series, kind := range theirs.metrics {
		if got, ok := ours.metrics[series]; !ok {
			t.Errorf("the metric %s is missing", series)
		} else if got != kind {
			t.Errorf("the metric %s is a %s, and not a %s", series, got, kind)
		}
	}
	if len(theirs.metrics) < 10 {
		t.Errorf("stunnerd has only these metrics: %v", theirs.metrics)
	}
}

func accountOf(t *testing.T, program string) (a account) {
	t.Helper()
	media := startMediaServer(t, mediaAddress, 0)
	operator := startOperator(t)
	relay := startDataplane(t, program)
	eventually(t, 10*time.Second, "the health server answers", func() error { return statusIs("/live", http.StatusOK) })
	a.liveFirst, a.readyFirst = getAnswer(t, "/live"), getAnswer(t, "/ready")
	c := basic()
	c.Listeners = append(c.Listeners, listener("tcp", "TCP", 3478, "stunner/media"))
	operator.send(c)
	eventually(t, effect, "ready", ready)
	for _, transport := range []string{"udp", "tcp"} {
		current := startCall(t, transport, transport, 3478, user1, media.address())
		defer current.hangUp()
		time.Sleep(100 * time.Millisecond)
		must(t, current.lostNothing())
	}
	a.live, a.ready, a.missing = getAnswer(t, "/live"), getAnswer(t, "/ready"), getAnswer(t, "/no-such-path")
	document := statusDocument(t)
	if count := document["allocationCount"]; count != 2.0 {
		t.Errorf("%s: allocationCount is %v", program, count)
	}
	if state := document["status"]; state != "READY" {
		t.Errorf("%s: status is %v", program, state)
	}
	a.status = document
	a.metrics = series(t)
	if value := metric(t, "stunner_allocations_active"); value != "2" {
		t.Errorf("%s: stunner_allocations_active is %s", program, value)
	}
	relay.kill()
	operator.stop()
	media.socket.Close()
	return a
}

func getAnswer(t *testing.T, path string) answer {
	t.Helper()
	response, err := http.Get(healthURL + path)
	must(t, err)
	defer response.Body.Close()
	status, body, err := get(path)
	must(t, err)
	return answer{status, response.Header.Get("Content-Type"), body}
}

// lacks names what is in `theirs` and not in `ours`, or of another type. Values may differ, and more may be in ours.
func lacks(path string, theirs, ours any) (differences []string) {
	switch wanted := theirs.(type) {
	case map[string]any:
		got, ok := ours.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s: %T, and not an object", path, ours)}
		}
		for key, value := range wanted {
			if _, ok := got[key]; !ok {
				differences = append(differences, fmt.Sprintf("%s.%s is missing; stunnerd's is %v", path, key, value))
				continue
			}
			differences = append(differences, lacks(path+"."+key, value, got[key])...)
		}
	case []any:
		got, ok := ours.([]any)
		if !ok || len(got) != len(wanted) {
			return []string{fmt.Sprintf("%s: %v, and not a list of %d", path, ours, len(wanted))}
		}
		for index := range wanted {
			differences = append(differences, lacks(fmt.Sprintf("%s[%d]", path, index), wanted[index], got[index])...)
		}
	default:
		if a, b := fmt.Sprintf("%T", theirs), fmt.Sprintf("%T", ours); a != b {
			differences = append(differences, fmt.Sprintf("%s: %s, and not %s", path, b, a))
		}
	}
	sort.Strings(differences)
	return differences
}

func scrape(t *testing.T) []string {
	t.Helper()
	status, body, err := fetch("http://127.0.0.1:8080/metrics")
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("/metrics: %d", status)
	}
	return strings.Split(body, "\n")
}

// series are the names of STUNner's own metrics with their labels, and their types. OpenTelemetry's labels about itself are left out.
func series(t *testing.T) map[string]string {
	t.Helper()
	types, result := map[string]string{}, map[string]string{}
	for _, line := range scrape(t) {
		if words := strings.Fields(line); len(words) == 4 && words[1] == "TYPE" {
			types[words[2]] = words[3]
		}
		if !strings.HasPrefix(line, "stunner_") {
			continue
		}
		name, rest, _ := strings.Cut(line[:strings.LastIndex(line, " ")], "{")
		var labels []string
		for _, label := range strings.Split(strings.TrimSuffix(rest, "}"), ",") {
			if label != "" && !strings.HasPrefix(label, "otel_") {
				labels = append(labels, label)
			}
		}
		sort.Strings(labels)
		result[name+"{"+strings.Join(labels, ",")+"}"] = types[name]
	}
	return result
}

func metric(t *testing.T, name string) string {
	t.Helper()
	for _, line := range scrape(t) {
		if words := strings.Fields(line); len(words) == 2 && (words[0] == name || strings.HasPrefix(words[0], name+"{")) {
			return words[1]
		}
	}
	t.Fatal(errors.New("there is no metric " + name))
	return ""
}
