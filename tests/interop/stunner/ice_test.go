// What `stunnerctl icetest` tries in a cluster: a WHIP server of STUNner's icetester behind the gateway, a client that may use the relay
// only, and a data channel between them; asymmetric (the server has its own address) and symmetric (both come by the relay).

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/l7mp/stunner/pkg/whipconn"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

func TestICE(t *testing.T) {
	operator := startOperator(t)
	c := basic()
	// Both ends are in one network here, so the media server has every address in it, and so have its candidates.
	c.Clusters = []object{cluster("stunner/media", "10.244.0.0/24", "198.51.100.0/24")}
	operator.send(c)
	startRelay(t)
	eventually(t, effect, "ready", ready)
	relayed := whipconn.Config{
		ICEServers: []webrtc.ICEServer{{
			URLs: []string{"turn:" + relayAddress + ":3478?transport=udp"}, Username: user1.username, Credential: user1.password,
		}},
		ICETransportPolicy: webrtc.ICETransportPolicyRelay, WHIPEndpoint: "/whip",
	}
	t.Run("asymmetric", func(t *testing.T) { connects(t, whipconn.Config{WHIPEndpoint: "/whip"}, relayed) })
	t.Run("symmetric", func(t *testing.T) { connects(t, relayed, relayed) })
}

func connects(t *testing.T, serverConfig, clientConfig whipconn.Config) {
	const address = mediaAddress + ":8089"
	logs := logging.NewDefaultLoggerFactory()
	logs.DefaultLogLevel = logging.LogLevelDisabled
	server, err := whipconn.NewListener(address, serverConfig, logs)
	must(t, err)
	defer server.Close()
	go func() {
		connection, err := server.Accept()
		if err == nil {
			_, _ = io.Copy(connection, connection)
		}
	}()
	eventually(t, 5*time.Second, "the WHIP server answers", func() error {
		answer, err := http.Get("http://" + address)
		if err == nil {
			answer.Body.Close()
		}
		return err
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	connection, err := whipconn.NewDialer(clientConfig, logs).DialContext(ctx, address)
	must(t, err)
	defer connection.Close()
	buffer := make([]byte, 2048)
	for number := range 100 {
		sent := bytes.Repeat([]byte(fmt.Sprintf("%03d", number)), 33)
		_, err = connection.Write(sent)
		must(t, err)
		length, err := connection.Read(buffer)
		must(t, err)
		if !bytes.Equal(buffer[:length], sent) {
			t.Fatalf("%q came back for %q", buffer[:length], sent)
		}
	}
}
