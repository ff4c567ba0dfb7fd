// Every update that the operator sends takes effect in the running relay, and a call that goes on meanwhile loses nothing.

package interop

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	stnrv1 "github.com/l7mp/stunner/pkg/apis/v1"
	"github.com/pion/stun/v3"
)

const effect = 5 * time.Second // how long an update may take

// A relay that has taken up the basic configuration, where it came from, and whom it reaches.
func startBasic(t *testing.T) (*mediaServer, *operator, *process) {
	t.Helper()
	media := startMediaServer(t, mediaAddress, 0)
	operator := startOperator(t)
	operator.send(basic())
	relay := startRelay(t)
	eventually(t, effect, "ready", ready)
	return media, operator, relay
}

func TestWithoutConfigurationItIsAliveAndNotReady(t *testing.T) {
	startRelay(t) // nobody listens at the address of the config discovery server
	must(t, statusIs("/live", http.StatusOK))
	must(t, statusIs("/ready", http.StatusServiceUnavailable))
	operator := startOperator(t)
	time.Sleep(1500 * time.Millisecond) // connected, and told nothing
	must(t, statusIs("/ready", http.StatusServiceUnavailable))
	operator.send(basic())
	eventually(t, effect, "ready with the first configuration", ready)
	media := startMediaServer(t, mediaAddress, 0)
	must(t, reaches("udp", 3478, user1, media.address()))
}

func TestAConfigurationThatIsAlreadyThereIsTakenAtOnce(t *testing.T) {
	startOperator(t).send(basic())
	startRelay(t)
	eventually(t, effect, "ready", ready)
}

func TestTheNodesNameIsToldToTheServer(t *testing.T) {
	operator := startOperator(t)
	operator.stop()
	nodes := make(chan string, 16)
	operator.patch = func(c *stnrv1.StunnerConfig, node string) *stnrv1.StunnerConfig {
		nodes <- node
		return c
	}
	operator.start()
	operator.send(basic())
	startRelay(t)
	eventually(t, effect, "ready", ready)
	if node := <-nodes; node != "node-1" {
		t.Fatalf("the node's name is %q", node)
	}
}

// step is one update: what changes, and how its effect shows.
type step struct {
	name   string
	change func(*configuration)
	shows  func() error
	cuts   bool // the real stunnerd restarts the listeners of the calls for it
}

func TestUpdates(t *testing.T) {
	media := startMediaServer(t, mediaAddress, 10500)
	media2 := startMediaServer(t, mediaAddress2, 10600)
	first, renewed := makeCertificate(t, 2), makeCertificate(t, 3)
	operator := startOperator(t)
	c := basic()
	c.Listeners = append(c.Listeners, listener("tcp", "TCP", 3478, "stunner/media"),
		secured(listener("tls", "TLS", 5349, "stunner/media"), first))
	ports := map[string]int{"udp": 3478, "tcp": 3478, "tls": 5349}
	if !*isReference { // cannot restart its DTLS listener with a client on it
		c.Listeners = append(c.Listeners, secured(listener("dtls", "DTLS", 5349, "stunner/media"), first))
		ports["dtls"] = 5349
	}
	last := len(c.Listeners) // the index of one that is added
	operator.send(c)
	startRelay(t)
	eventually(t, effect, "ready", ready)

	user := user1
	var calls []*call
	endCalls := func() {
		for _, one := range calls {
			one.hangUp()
		}
		calls = nil
	}
	beginCalls := func() {
		for transport, port := range ports {
			calls = append(calls, startCall(t, transport, transport, port, user, media.address()))
		}
	}
	beginCalls()
	reachesMedia := func(transport string, port int) error { return reaches(transport, port, user, media.address()) }

	for _, s := range []step{
		{name: "a public address changes", change: func(c *configuration) { c.Listeners[0]["public_address"] = "198.51.100.99" },
			shows: func() error { return listenerField(t, "udp", "public_address", "198.51.100.99") }},
		{name: "a cluster is added and routed", change: func(c *configuration) {
			c.Clusters = append(c.Clusters, cluster("stunner/media-2", mediaAddress2))
			c.Listeners[0]["routes"] = []string{"stunner/media", "stunner/media-2"}
		}, shows: func() error { return reaches("udp", 3478, user, media2.address()) }},
		{name: "its ports are limited", change: func(c *configuration) { c.Clusters[1]["endpoints"] = []string{mediaAddress2 + ":<20000-30000>"} },
			shows: func() error { return refused(reaches("udp", 3478, user, media2.address()), "no echo") }},
		{name: "its ports are opened again", change: func(c *configuration) {
			c.Clusters[1]["endpoints"] = []string{"10.244.0.21/32:<10600-10600>"}
		}, shows: func() error { return reaches("udp", 3478, user, media2.address()) }},
		{name: "its route is removed", change: func(c *configuration) { c.Listeners[0]["routes"] = []string{"stunner/media"} },
			shows: func() error { return refused(reaches("udp", 3478, user, media2.address()), "permission") }},
		{name: "the cluster is removed", change: func(c *configuration) { c.Clusters = c.Clusters[:1] },
			shows: func() error { return clusterIsGone(t, "stunner/media-2") }},
		{name: "a listener is added", change: func(c *configuration) {
			c.Listeners = append(c.Listeners, listener("udp-2", "UDP", 3479, "stunner/media"))
		}, shows: func() error { return reachesMedia("udp", 3479) }},
		{name: "its port changes", change: func(c *configuration) { c.Listeners[last]["port"] = 3480 },
			shows: func() error { return errors.Join(reachesMedia("udp", 3480), silent(3479)) }},
		{name: "it becomes a TCP listener", change: func(c *configuration) { c.Listeners[last]["protocol"] = "TURN-TCP" },
			shows: func() error { return errors.Join(reachesMedia("tcp", 3480), silent(3480)) }},
		{name: "it becomes a TLS listener", change: func(c *configuration) { secured(c.Listeners[last], first)["protocol"] = "TURN-TLS" },
			shows: func() error { return reachesMedia("tls", 3480) }},
		{name: "it is removed", change: func(c *configuration) { c.Listeners = c.Listeners[:last] },
			shows: func() error { return refusesConnections(3480) }},
		{name: "the password changes", change: func(c *configuration) {
			c.Auth = static("user-1", "pass-2$HOME", "stunner.l7mp.io")
			user = login{"user-1", "pass-2$HOME"}
		}, shows: func() error {
			return errors.Join(reachesMedia("udp", 3478), refused(reaches("udp", 3478, user1, media.address()), "40"))
		}},
		{name: "the certificate changes", cuts: true, change: func(c *configuration) {
			for _, one := range c.Listeners[2:] {
				secured(one, renewed)
			}
		}, shows: func() error {
			if *isReference {
				return shown("tls", renewed, user)
			}
			return errors.Join(shown("tls", renewed, user), shown("dtls", renewed, user))
		}},
		{name: "the realm changes", cuts: true, change: func(c *configuration) {
			c.Auth = static("user-1", "pass-3", "realm-2")
			user = login{"user-1", "pass-3"}
		},
			shows: func() error { return errors.Join(realmIs("realm-2"), reachesMedia("udp", 3478)) }},
		{name: "time-limited credentials", cuts: true, change: func(c *configuration) {
			c.Auth = ephemeral("secret", "realm-2")
			user = timeLimited("secret", time.Hour, "%d:alice")
		}, shows: func() error {
			expired := timeLimited("secret", -time.Hour, "%d:alice")
			return errors.Join(reachesMedia("udp", 3478), reaches("udp", 3478, timeLimited("secret", time.Hour, "bob:%d"), media.address()),
				reaches("udp", 3478, timeLimited("secret", time.Hour, "%d"), media.address()),
				refused(reaches("udp", 3478, expired, media.address()), "40"))
		}},
		{name: "metrics elsewhere", change: func(c *configuration) { c.Admin["metrics_endpoint"] = "http://:8081/other" },
			shows: func() error { return answers("http://127.0.0.1:8081/other", "stunner_allocations_active") }},
	} {
		ok := t.Run(s.name, func(t *testing.T) {
			cut := s.cuts && *isReference
			if cut {
				endCalls()
			}
			s.change(&c)
			operator.send(c)
			eventually(t, effect, "the effect", s.shows)
			if cut {
				beginCalls()
				return
			}
			for _, one := range calls {
				if err := one.lostNothing(); err != nil {
					t.Error(err)
				}
				if err := one.CreatePermission(one.peer); err != nil && !*isReference {
					t.Errorf("the call %s may do nothing new: %v", one.name, err)
				}
			}
		})
		if !ok {
			t.FailNow()
		}
	}
	t.Run("nothing but Binding", func(t *testing.T) {
		c.Auth = object{"type": "none", "realm": "realm-2", "credentials": object{}}
		operator.send(c)
		eventually(t, effect, "no allocation", func() error { return refused(reachesMedia("udp", 3478), "allocating") })
		if silent(3478) == nil {
			t.Fatal("Binding is not answered")
		}
	})
}

// With the call of a listener's old port, and of a listener that goes.
func TestCallsOutliveTheirListener(t *testing.T) {
	if *isReference {
		t.Skip("the real stunnerd ends them")
	}
	media := startMediaServer(t, mediaAddress, 0)
	operator := startOperator(t)
	c := basic()
	c.Listeners = append(c.Listeners, listener("udp-2", "UDP", 3479, "stunner/media"), listener("tcp", "TCP", 3480, "stunner/media"))
	operator.send(c)
	startRelay(t)
	eventually(t, effect, "ready", ready)
	calls := []*call{
		startCall(t, "moved", "udp", 3478, user1, media.address()), startCall(t, "removed", "udp", 3479, user1, media.address()),
		startCall(t, "removed TCP", "tcp", 3480, user1, media.address()),
	}
	c.Listeners = c.Listeners[:1]
	c.Listeners[0]["port"] = 3481
	operator.send(c)
	eventually(t, effect, "the new port answers", func() error { return reaches("udp", 3481, user1, media.address()) })
	time.Sleep(time.Second)
	for _, one := range calls {
		if err := one.lostNothing(); err != nil {
			t.Error(err)
		}
	}
	for _, port := range []int{3478, 3479} {
		if reaches("udp", port, user1, media.address()) == nil {
			t.Errorf("port %d takes new clients", port)
		}
	}
}

func TestAWrongConfigurationChangesNothing(t *testing.T) {
	media, operator, _ := startBasic(t)
	current := startCall(t, "current", "udp", 3478, user1, media.address())
	for name, change := range map[string]func(*configuration){
		"protocol":           func(c *configuration) { c.Listeners[0]["protocol"] = "TURN-SCTP" },
		"no certificate":     func(c *configuration) { c.Listeners[0]["protocol"] = "TURN-TLS" },
		"no password":        func(c *configuration) { delete(c.Auth["credentials"].(object), "password") },
		"endpoint":           func(c *configuration) { c.Clusters[0]["endpoints"] = []string{"10.0.0.0/99"} },
		"type of a cluster":  func(c *configuration) { c.Clusters[0]["type"] = "DYNAMIC" },
		"version":            func(c *configuration) { c.Version = "v9" },
		"port":               func(c *configuration) { c.Listeners[0]["port"] = 70000 },
		"authentication":     func(c *configuration) { c.Auth["type"] = "magic" },
		"name of a listener": func(c *configuration) { c.Listeners[0]["name"] = "" },
	} {
		wrong := basic()
		wrong.Admin["name"] = "wrong: " + name // it would be seen if anything of it were taken
		change(&wrong)
		operator.send(wrong)
		time.Sleep(150 * time.Millisecond)
		if got := statusDocument(t)["admin"].(object)["name"]; got != configID {
			t.Errorf("%s: taken: the name is %v", name, got)
		}
		if err := errors.Join(ready(), reaches("udp", 3478, user1, media.address()), current.lostNothing()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	right := basic()
	right.Auth = static("user-1", "pass-2", "stunner.l7mp.io")
	operator.send(right)
	eventually(t, effect, "the next right one is taken", func() error {
		return reaches("udp", 3478, login{"user-1", "pass-2"}, media.address())
	})
	must(t, current.lostNothing())
}

func TestDeletingTheGatewayKeepsTheRelayServing(t *testing.T) {
	media, operator, relay := startBasic(t)
	current := startCall(t, "current", "udp", 3478, user1, media.address())
	operator.deleteAll()
	time.Sleep(time.Second)
	must(t, errors.Join(ready(), reaches("udp", 3478, user1, media.address()), current.lostNothing()))
	if relay.endsWithin(0) {
		t.Fatal("the relay has ended")
	}
}

func TestTheRelayOutlivesTheOperator(t *testing.T) {
	media, operator, _ := startBasic(t)
	current := startCall(t, "current", "udp", 3478, user1, media.address())
	operator.stop()
	time.Sleep(2500 * time.Millisecond)
	must(t, errors.Join(ready(), reaches("udp", 3478, user1, media.address()), current.lostNothing()))
	operator.start() // with nothing to tell yet, as after a restart
	time.Sleep(1500 * time.Millisecond)
	must(t, errors.Join(ready(), current.lostNothing()))
	c := basic()
	c.Auth = static("user-1", "pass-2", "stunner.l7mp.io")
	operator.send(c)
	eventually(t, effect, "connected again", func() error { return reaches("udp", 3478, login{"user-1", "pass-2"}, media.address()) })
	must(t, current.lostNothing())
}

// Beyond the pings and the read deadline of the protocol: 5 and 8 s.
func TestAQuietConnectionStays(t *testing.T) {
	media, operator, _ := startBasic(t)
	clients := operator.server.GetConnTrack().Snapshot()
	time.Sleep(11 * time.Second)
	if now := operator.server.GetConnTrack().Snapshot(); len(now) != 1 || len(clients) != 1 || now[0] != clients[0] {
		t.Fatalf("the connection is another one: %v, %v", clients, now)
	}
	c := basic()
	c.Auth = static("user-1", "pass-2", "stunner.l7mp.io")
	operator.send(c)
	eventually(t, time.Second, "the update", func() error { return reaches("udp", 3478, login{"user-1", "pass-2"}, media.address()) })
}

func TestTenThousandEndpoints(t *testing.T) {
	media, operator, _ := startBasic(t)
	current := startCall(t, "current", "udp", 3478, user1, media.address())
	c := basic()
	endpoints := []string{mediaAddress}
	for number := range 10_000 {
		endpoints = append(endpoints, fmt.Sprintf("10.245.%d.%d:<10000-20000>", number/250, number%250))
	}
	c.Clusters = []object{cluster("stunner/media", endpoints...)}
	c.Auth = static("user-1", "pass-2", "stunner.l7mp.io")
	operator.send(c)
	eventually(t, effect, "the update", func() error { return reaches("udp", 3478, login{"user-1", "pass-2"}, media.address()) })
	must(t, current.lostNothing())
}

func TestTerminatingKeepsTheCallsUntilTheyEnd(t *testing.T) {
	media, _, relay := startBasic(t)
	current := startCall(t, "current", "udp", 3478, user1, media.address())
	relay.terminate()
	if relay.endsWithin(2 * time.Second) {
		t.Fatal("the relay ended with a call on it")
	}
	must(t, current.lostNothing())
	if state := statusDocument(t)["status"]; state != "TERMINATING" {
		t.Errorf("/status says %v", state)
	}
	current.hangUp()
	if !relay.endsWithin(5 * time.Second) {
		t.Fatal("the relay did not end with its last call")
	}
	if code := relay.command.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("exit status %d", code)
	}
}

// How effects show.

func refused(err error, how string) error {
	if err == nil {
		return errors.New("it is not refused")
	}
	if !strings.Contains(err.Error(), how) {
		return fmt.Errorf("refused otherwise: %w", err)
	}
	return nil
}

func ask(port int) (*stun.Message, error) {
	socket, err := net.Dial("udp4", net.JoinHostPort(relayAddress, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err = socket.Write(request.Raw); err != nil {
		return nil, err
	}
	buffer := make([]byte, 1500)
	_ = socket.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	length, err := socket.Read(buffer)
	if err != nil {
		return nil, err
	}
	answer := &stun.Message{Raw: buffer[:length]}
	return answer, answer.Decode()
}

// silent: nobody answers at this UDP port.
func silent(port int) error {
	if _, err := ask(port); err == nil {
		return fmt.Errorf("port %d answers", port)
	}
	return nil
}

func refusesConnections(port int) error {
	connection, err := net.DialTimeout("tcp4", net.JoinHostPort(relayAddress, strconv.Itoa(port)), time.Second)
	if err != nil {
		return nil
	}
	connection.Close()
	return fmt.Errorf("port %d takes connections", port)
}

func listenerField(t *testing.T, name, field string, wanted any) error {
	for _, one := range statusDocument(t)["listeners"].([]any) {
		if one.(object)["name"] == configID+"/"+name {
			if got := one.(object)[field]; got != wanted {
				return fmt.Errorf("%s: %v", field, got)
			}
			return nil
		}
	}
	return fmt.Errorf("no listener %s in /status", name)
}

func clusterIsGone(t *testing.T, name string) error {
	for _, one := range statusDocument(t)["clusters"].([]any) {
		if one.(object)["name"] == name {
			return fmt.Errorf("the cluster %s is in /status", name)
		}
	}
	return nil
}

func shown(transport string, wanted certificate, as login) error {
	var seen []byte
	c, err := allocate(transport, 5349, as, &seen)
	if err != nil {
		return err
	}
	c.close()
	if !bytes.Equal(seen, wanted.raw) {
		return fmt.Errorf("%s shows the old certificate", transport)
	}
	return nil
}

func realmIs(wanted string) error {
	socket, err := net.Dial("udp4", relayAddress+":3478")
	if err != nil {
		return err
	}
	defer socket.Close()
	request := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}})
	if _, err = socket.Write(request.Raw); err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	_ = socket.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	length, err := socket.Read(buffer)
	if err != nil {
		return err
	}
	answer := &stun.Message{Raw: buffer[:length]}
	if err = answer.Decode(); err != nil {
		return err
	}
	var realm stun.Realm
	if err = realm.GetFrom(answer); err == nil && realm.String() != wanted {
		err = fmt.Errorf("the realm is %q", realm)
	}
	return err
}

// timeLimited mints what STUNner's authentication service hands out.
func timeLimited(secret string, validity time.Duration, shape string) login {
	name := fmt.Sprintf(shape, time.Now().Add(validity).Unix())
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(name))
	return login{name, base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

func answers(url, with string) error {
	status, body, err := fetch(url)
	if err == nil && (status != http.StatusOK || !strings.Contains(body, with)) {
		err = fmt.Errorf("%s: %d, without %s", url, status, with)
	}
	return err
}
