// pion-turn is a TURN server made of github.com/pion/turn, to compare with: UDP listeners that share one port (SO_REUSEPORT), one for
// each processor that it may use, and long-term credentials for one user.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/pion/turn/v4"
	"golang.org/x/sys/unix"
)

const module = "github.com/pion/turn/v4"

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if dependency.Path == module {
				return dependency.Version
			}
		}
	}
	return "unknown"
}

func reusePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return failed
}

func listeners(address string, port, count int, relay turn.RelayAddressGenerator) ([]turn.PacketConnConfig, error) {
	config := net.ListenConfig{Control: reusePort}
	made := make([]turn.PacketConnConfig, 0, count)
	for range count {
		conn, err := config.ListenPacket(context.Background(), "udp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			return nil, err
		}
		made = append(made, turn.PacketConnConfig{PacketConn: conn, RelayAddressGenerator: relay})
	}
	return made, nil
}

func run() error {
	address := flag.String("address", "127.0.0.1", "IP address to listen and to relay on")
	port := flag.Int("port", 3478, "UDP port to listen on")
	user := flag.String("user", "user", "user name")
	password := flag.String("password", "", "password")
	realm := flag.String("realm", "pion", "realm")
	minPort := flag.Uint("min-port", 49152, "first relay port")
	maxPort := flag.Uint("max-port", 65535, "last relay port")
	threads := flag.Int("threads", runtime.NumCPU(), "listeners, each with a goroutine of its own")
	showVersion := flag.Bool("version", false, "print the version of the library and leave")
	flag.Parse()
	if *showVersion {
		fmt.Println(module, version())
		return nil
	}
	ip := net.ParseIP(*address)
	if ip == nil || *minPort > *maxPort || *maxPort > 65535 || flag.NArg() > 0 {
		return fmt.Errorf("pion-turn: bad arguments; see -help")
	}
	connections, err := listeners(*address, *port, *threads, &turn.RelayAddressGeneratorPortRange{
		RelayAddress: ip,
		Address:      *address,
		MinPort:      uint16(*minPort),
		MaxPort:      uint16(*maxPort),
	})
	if err != nil {
		return err
	}
	key := turn.GenerateAuthKey(*user, *realm, *password)
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: *realm,
		AuthHandler: func(name, _ string, _ net.Addr) ([]byte, bool) {
			return key, name == *user
		},
		PacketConnConfigs: connections,
	})
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	return server.Close()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
