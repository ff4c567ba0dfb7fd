// Clients, by pion's TURN client: one that tries once, and a call whose every packet is counted.

package interop

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/logging"
	"github.com/pion/turn/v5"
)

const (
	clientAddress = "198.51.100.2"
	mediaAddress  = "10.244.0.20"
	mediaAddress2 = "10.244.0.21"
	serverName    = "turn.example.com"
)

type login struct{ username, password string }

var user1 = login{"user-1", "pass-1"}

// mediaServer echoes.
type mediaServer struct{ socket *net.UDPConn }

func startMediaServer(t *testing.T, address string, port int) *mediaServer {
	t.Helper()
	socket, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address), Port: port})
	must(t, err)
	t.Cleanup(func() { socket.Close() })
	go func() {
		buffer := make([]byte, 2048)
		for {
			length, sender, err := socket.ReadFromUDP(buffer)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = socket.WriteToUDP(buffer[:length], sender)
			}
		}
	}()
	return &mediaServer{socket}
}

func (m *mediaServer) address() *net.UDPAddr { return m.socket.LocalAddr().(*net.UDPAddr) }

// dial opens the client's side of a transport to a port of the relay; `seen` gets the certificate that the relay showed.
func dial(transport string, port int, seen *[]byte) (net.PacketConn, error) {
	server := net.JoinHostPort(relayAddress, strconv.Itoa(port))
	switch transport {
	case "udp":
		return net.ListenPacket("udp4", clientAddress+":0")
	case "tcp":
		connection, err := net.DialTimeout("tcp4", server, time.Second)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(connection), nil
	case "tls":
		connection, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Second}, "tcp4", server,
			&tls.Config{ServerName: serverName, RootCAs: authority.pool})
		if err != nil {
			return nil, err
		}
		if seen != nil {
			*seen = connection.ConnectionState().PeerCertificates[0].Raw
		}
		return turn.NewSTUNConn(connection), nil
	case "dtls":
		connection, err := dialDTLS(server)
		if err != nil {
			return nil, err
		}
		if seen != nil {
			if state, ok := connection.ConnectionState(); ok {
				*seen = state.PeerCertificates[0]
			}
		}
		return turn.NewSTUNConn(connection), nil
	}
	return nil, fmt.Errorf("transport %q", transport)
}

type client struct {
	*turn.Client
	socket  net.PacketConn
	relayed net.PacketConn
}

func (c *client) close() {
	if c.relayed != nil {
		_ = c.relayed.Close()
	}
	c.Client.Close()
	_ = c.socket.Close()
}

func allocate(transport string, port int, as login, seen *[]byte) (*client, error) {
	socket, err := dial(transport, port, seen)
	if err != nil {
		return nil, fmt.Errorf("dialling: %w", err)
	}
	server := net.JoinHostPort(relayAddress, strconv.Itoa(port))
	logs := logging.NewDefaultLoggerFactory()
	logs.DefaultLogLevel = logging.LogLevelDisabled
	made, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: server, TURNServerAddr: server, Conn: socket, Username: as.username, Password: as.password,
		RTO: 100 * time.Millisecond, LoggerFactory: logs,
	})
	if err != nil {
		socket.Close()
		return nil, err
	}
	c := &client{Client: made, socket: socket}
	if err = c.Listen(); err == nil {
		c.relayed, err = c.Allocate()
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("allocating: %w", err)
	}
	return c, nil
}

// echoes sends until the peer's echo comes.
func (c *client) echoes(peer net.Addr, limit time.Duration) error {
	if err := c.CreatePermission(peer); err != nil {
		return fmt.Errorf("permission: %w", err)
	}
	buffer := make([]byte, 64)
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if _, err := c.relayed.WriteTo([]byte("once"), peer); err != nil {
			return err
		}
		_ = c.relayed.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if length, _, err := c.relayed.ReadFrom(buffer); err == nil && string(buffer[:length]) == "once" {
			return nil
		}
	}
	return errors.New("no echo")
}

// reaches tells whether a new client gets an echo from the peer.
func reaches(transport string, port int, as login, peer net.Addr) error {
	c, err := allocate(transport, port, as, nil)
	if err != nil {
		return err
	}
	defer c.close()
	return c.echoes(peer, 300*time.Millisecond)
}

// call sends a numbered packet every 5 ms, and knows which of them came back.
type call struct {
	*client
	name  string
	peer  net.Addr
	stop  chan struct{}
	done  sync.WaitGroup
	mutex sync.Mutex
	sent  uint32
	back  map[uint32]bool
}

func startCall(t *testing.T, name, transport string, port int, as login, peer net.Addr) *call {
	t.Helper()
	c := &call{name: name, peer: peer, stop: make(chan struct{}), back: map[uint32]bool{}}
	eventually(t, 5*time.Second, "the call "+name+" begins", func() (err error) {
		c.client, err = allocate(transport, port, as, nil)
		return err
	})
	must(t, c.echoes(peer, 3*time.Second))
	_ = c.relayed.SetReadDeadline(time.Time{})
	c.done.Add(2)
	go c.talk()
	go c.listen()
	t.Cleanup(c.hangUp)
	return c
}

func (c *call) talk() {
	defer c.done.Done()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	packet := make([]byte, 160)
	for {
		select {
		case <-c.stop:
			return
		case <-ticker.C:
			c.mutex.Lock()
			number := c.sent
			c.sent++
			c.mutex.Unlock()
			binary.BigEndian.PutUint32(packet, number)
			_, _ = c.relayed.WriteTo(packet, c.peer)
		}
	}
}

func (c *call) listen() {
	defer c.done.Done()
	buffer := make([]byte, 2048)
	for {
		length, _, err := c.relayed.ReadFrom(buffer)
		if err != nil {
			return
		}
		if length == 160 {
			c.mutex.Lock()
			c.back[binary.BigEndian.Uint32(buffer)] = true
			c.mutex.Unlock()
		}
	}
}

func (c *call) hangUp() {
	select {
	case <-c.stop:
		return
	default:
	}
	close(c.stop)
	c.close()
	c.done.Wait()
}

func (c *call) missing(until uint32) (numbers []uint32) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for number := range until {
		if !c.back[number] {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

// lostNothing waits for the echoes of all that was sent so far.
func (c *call) lostNothing() error {
	c.mutex.Lock()
	until := c.sent
	c.mutex.Unlock()
	var numbers []uint32
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if numbers = c.missing(until); len(numbers) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the call %s lost %d of %d packets: %v…", c.name, len(numbers), until, numbers[:min(8, len(numbers))])
}

func dialDTLS(server string) (*dtls.Conn, error) {
	address, err := net.ResolveUDPAddr("udp4", server)
	if err != nil {
		return nil, err
	}
	connection, err := dtls.Dial("udp4", address, &dtls.Config{ServerName: serverName, RootCAs: authority.pool})
	if err != nil {
		return nil, err
	}
	handshake := make(chan error, 1)
	go func() { handshake <- connection.Handshake() }()
	select {
	case err = <-handshake:
	case <-time.After(2 * time.Second):
		err = errors.New("no DTLS handshake within 2 s")
	}
	if err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}
