// Tunnels: the real turncat through the relay under test, and our turncat through it; with --reference that is the real stunnerd.

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
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
			t.Run(name+" over "+transport, func(t *testing.T) { tunnel.carriesDatagrams(t, program, "--insecure", server) })
		}
		for _, transport := range []string{"udp", "tls"} {
			server := fmt.Sprintf("k8s://%s/%s:%s", namespace, gateway, transport)
			t.Run(name+" by the gateway's name, "+transport, func(t *testing.T) {
				tunnel.carriesDatagrams(t, program, "--cds-server-address=127.0.0.1", "--cds-server-port=13478", "--insecure", server)
			})
		}
		t.Run(name+" for TCP clients", func(t *testing.T) { tunnel.carriesStreams(t, program) })
		t.Run(name+" from standard input", func(t *testing.T) { tunnel.carriesLines(t, program) })
		t.Run(name+" with a wrong password", func(t *testing.T) { tunnel.carriesNothing(t, program) })
	}
}

func (t *tunnelling) carriesDatagrams(sub *testing.T, program string, arguments ...string) {
	startProcess(sub, nil, program, append(arguments, "udp://127.0.0.1:9000", "udp://"+mediaAddress+":9001")...)
	// Several clients, each of which gets its own answers.
	for number := range 3 {
		socket, err := net.Dial("udp4", "127.0.0.1:9000")
		must(sub, err)
		sub.Cleanup(func() { socket.Close() })
		for _, size := range []int{1, 100, 1200} {
			sent := bytes.Repeat([]byte{byte('a' + number)}, size)
			eventually(sub, 10*time.Second, fmt.Sprintf("an echo of %d bytes", size), func() error { return exchange(socket, sent) })
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

func (t *tunnelling) carriesLines(sub *testing.T, program string) {
	command := exec.Command(program, "-", server(user1.password), "udp://"+mediaAddress+":9001")
	input, err := command.StdinPipe()
	must(sub, err)
	output, err := command.StdoutPipe()
	must(sub, err)
	must(sub, command.Start())
	defer func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}()
	lines := make(chan string, 1)
	go func() {
		buffer := make([]byte, 256)
		length, _ := io.ReadAtLeast(output, buffer, len("a line"))
		lines <- string(buffer[:length])
	}()
	for range 20 { // the tunnel may be there later than the first line
		_, _ = io.WriteString(input, "a line\n")
		select {
		case line := <-lines:
			if !strings.HasPrefix(line, "a line") {
				sub.Fatalf("the echo is %q", line)
			}
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
	sub.Fatal("no echo")
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
