module uturn.example/tests/interop/apiserver/crds

go 1.25.0

require (
	github.com/l7mp/stunner v1.2.1
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
