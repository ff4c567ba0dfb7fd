// Tunnels: the real turncat through the relay under test, and our turncat through it; with --reference that is the real stunnerd.

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

type tunnelling struct {
	*testing.T
	operator *operator
	media    *mediaServer
}

func startTunnelling(t *testing.T) *tunnelling {
	t.Helper()
	certificate := makeCertificate(t, 2)
	operator := startOperator(t)
	c := basic()
	c.Listeners = append(c.Listeners, listener("tcp", "TCP", 3478, "stunner/media"),
		secured(listener("tls", "TLS", 5349, "stunner/media"), certificate),
		secured(listener("dtls", "DTLS", 5349, "stunner/media"), certificate))
	for _, one := range c.Listeners {
		one["public_address"] = relayAddress // turncat reads it from here
	}
	operator.send(c)
	startRelay(t)
	eventually(t, effect, "ready", ready)
	return &tunnelling{t, operator, startMediaServer(t, mediaAddress, 9001)}
}

var turncatPorts = map[string]int{"udp": 3478, "tcp": 3478, "tls": 5349, "dtls": 5349}

func TestTurncats(t *testing.T) {
	tunnel := startTunnelling(t)
	for name, program := range map[string]string{"stunner's": *theirTurncat, "ours": *ourTurncat} {
		for transport, port := range turncatPorts {
			server := fmt.Sprintf("turn://user-1:pass-1@%s:%d?transport=%s", relayAddress, port, transport)
			t.Run(name+" over "+transport, func(t *testing.T) { tunnel.carriesDatagrams(t, program, server) })
		}
		for _, transport := range []string{"udp", "tls"} {
			server := fmt.Sprintf("k8s://%s/%s:%s", namespace, gateway, transport)
			t.Run(name+" by the gateway's name, "+transport, func(t *testing.T) {
				tunnel.carriesDatagrams(t, program, server, "--cds-server-address=127.0.0.1", "--cds-server-port=13478")
			})
		}
		t.Run(name+" for TCP clients", func(t *testing.T) { tunnel.carriesStreams(t, program) })
		t.Run(name+" from standard input", func(t *testing.T) { tunnel.carriesLines(t, program) })
		t.Run(name+" with a wrong password", func(t *testing.T) { tunnel.carriesNothing(t, program) })
	}
}

func (t *tunnelling) carriesDatagrams(sub *testing.T, program, server string, options ...string) {
	startProcess(sub, nil, program, append(options, "--insecure", "udp://127.0.0.1:9000", server, "udp://"+mediaAddress+":9001")...)
	// Several clients, each of which gets its own answers.
	for number := range 3 {
		socket, err := net.Dial("udp4", "127.0.0.1:9000")
		must(sub, err)
		sub.Cleanup(func() { socket.Close() })
		for _, size := range []int{1, 100, 1200} {
			sent := bytes.Repeat([]byte{byte('a' + number)}, size)
			eventually(sub, 30*time.Second, fmt.Sprintf("an echo of %d bytes", size), func() error { return exchange(socket, sent) })
		}
	}
}

func exchange(socket net.Conn, sent []byte) error {
	if _, err := socket.Write(sent); err != nil {
		return err
	}
	buffer := make([]byte, 2048)
	_ = socket.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	for {
		length, err := socket.Read(buffer)
		if err != nil {
			return err
		}
		if bytes.Equal(buffer[:length], sent) {
			return nil
		}
	}
}

func (t *tunnelling) carriesStreams(sub *testing.T, program string) {
	startProcess(sub, nil, program, "tcp://127.0.0.1:9000", server(user1.password), "udp://"+mediaAddress+":9001")
	eventually(sub, 10*time.Second, "an echo", func() error {
		connection, err := net.Dial("tcp4", "127.0.0.1:9000")
		if err != nil {
			return err
		}
		defer connection.Close()
		return exchange(connection, []byte("through a stream"))
	})
}

// Standard input and output are one socket here: the real turncat answers to where the line came from, as on a terminal.
func (t *tunnelling) carriesLines(sub *testing.T, program string) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(sub, err)
	theirs, file := os.NewFile(uintptr(ends[0]), "turncat"), os.NewFile(uintptr(ends[1]), "user")
	defer file.Close()
	user, err := net.FileConn(file)
	must(sub, err)
	defer user.Close()
	command := exec.Command(program, "-", server(user1.password), "udp://"+mediaAddress+":9001")
	command.Stdin, command.Stdout = theirs, theirs
	must(sub, command.Start())
	theirs.Close()
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	eventually(sub, 10*time.Second, "an echo", func() error { return exchange(user, []byte("a line\n")) })
}

func (t *tunnelling) carriesNothing(sub *testing.T, program string) {
	startProcess(sub, nil, program, "udp://127.0.0.1:9000", server("wrong"), "udp://"+mediaAddress+":9001")
	socket, err := net.Dial("udp4", "127.0.0.1:9000")
	must(sub, err)
	defer socket.Close()
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if exchange(socket, []byte("hello")) == nil {
			sub.Fatal(errors.New("an echo came"))
		}
	}
}

func server(password string) string {
	return fmt.Sprintf("turn://user-1:%s@%s:3478?transport=udp", password, relayAddress)
}
