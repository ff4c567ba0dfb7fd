//go:build tools

// Package tools names the programs that the suite builds; their versions and sums stand in go.mod and go.sum.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
)
