// The real config discovery server of STUNner's operator, without Kubernetes, and configurations as the operator writes them.

package interop

import (
	"context"
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/go-logr/logr"
	stnrv1 "github.com/l7mp/stunner/pkg/apis/v1"
	cdsserver "github.com/l7mp/stunner/pkg/config/server"
)

const cdsAddress = "127.0.0.1:13478"

type operator struct {
	t      *testing.T
	server *cdsserver.Server
	cancel context.CancelFunc
	patch  cdsserver.ConfigNodePatcher
}

func startOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{t: t}
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *operator) start() {
	o.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o.server, o.cancel = cdsserver.New(cdsAddress, o.patch, logr.Discard()), cancel
	eventually(o.t, 5*time.Second, "the config discovery server starts", func() error { return o.server.Start(ctx) })
}

func (o *operator) stop() {
	if o.cancel == nil {
		return
	}
	o.cancel()
	o.cancel = nil
	eventually(o.t, 5*time.Second, "the config discovery server has ended", func() error {
		listener, err := net.Listen("tcp", cdsAddress)
		if err == nil {
			err = listener.Close()
		}
		return err
	})
}

func (o *operator) send(c configuration) {
	o.t.Helper()
	must(o.t, o.server.UpdateConfig([]cdsserver.Config{{Namespace: namespace, Name: gateway, Config: c.stunner(o.t)}}))
}

// deleteAll is what the operator does when the Gateway goes: clients get a configuration without anything in it.
func (o *operator) deleteAll() {
	o.t.Helper()
	must(o.t, o.server.UpdateConfig(nil))
}

type (
	object        = map[string]any
	configuration struct {
		Version             string
		Admin, Auth         object
		Listeners, Clusters []object
	}
)

// stunner makes STUNner's own type of it, by way of JSON: field names are written here as they are on the wire.
func (c configuration) stunner(t *testing.T) *stnrv1.StunnerConfig {
	t.Helper()
	text, err := json.Marshal(object{
		"version": c.Version, "admin": c.Admin, "auth": c.Auth, "listeners": c.Listeners, "clusters": c.Clusters,
	})
	must(t, err)
	result := &stnrv1.StunnerConfig{}
	must(t, json.Unmarshal(text, result))
	return result
}

func admin() object {
	return object{
		"name": configID, "loglevel": "all:INFO", "healthcheck_endpoint": "http://:8086",
		"metrics_endpoint": "http://:8080/metrics", "offload_engine": "None",
	}
}

func static(username, password, realm string) object {
	return object{"type": "static", "realm": realm, "credentials": object{"username": username, "password": password}}
}

func ephemeral(secret, realm string) object {
	return object{"type": "ephemeral", "realm": realm, "credentials": object{"secret": secret}}
}

func listener(name, protocol string, port int, routes ...string) object {
	return object{
		"name": configID + "/" + name, "protocol": "TURN-" + protocol, "public_address": "198.51.100.1", "public_port": port,
		"address": "$STUNNER_ADDR", "port": port, "routes": routes,
	}
}

func secured(listener object, c certificate) object {
	listener["cert"], listener["key"] = c.chainBase64, c.keyBase64
	return listener
}

func cluster(name string, endpoints ...string) object {
	return object{"name": name, "type": "STATIC", "protocol": "UDP", "endpoints": endpoints}
}

func basic() configuration {
	return configuration{
		Version: "v1", Admin: admin(), Auth: static("user-1", "pass-1", "stunner.l7mp.io"),
		Listeners: []object{listener("udp", "UDP", 3478, "stunner/media")},
		Clusters:  []object{cluster("stunner/media", mediaAddress)},
	}
}
