// cds is STUNner's real config discovery server without its operator: each line of standard input is a configuration as JSON, which it
// serves from then on, and says so. It ends with its input.
//
//	cds ADDRESS NAMESPACE NAME
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/go-logr/logr"
	stnrv1 "github.com/l7mp/stunner/pkg/apis/v1"
	cdsserver "github.com/l7mp/stunner/pkg/config/server"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: cds ADDRESS NAMESPACE NAME")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	server := cdsserver.New(os.Args[1], nil, logr.Discard())
	if err := server.Start(ctx); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		config := &stnrv1.StunnerConfig{}
		if err := json.Unmarshal(lines.Bytes(), config); err != nil {
			log.Fatal(err)
		}
		update := []cdsserver.Config{{Namespace: os.Args[2], Name: os.Args[3], Config: config}}
		if err := server.UpdateConfig(update); err != nil {
			log.Fatal(err)
		}
		fmt.Println("served")
	}
}
