// Says which flows a set of NetworkPolicies lets through, with cyclonus's model of them:
// standard input {"policies": [NetworkPolicy], "flows": [Traffic]}, standard output a list of booleans.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networkingv1 "k8s.io/api/networking/v1"
)

type question struct {
	Policies []*networkingv1.NetworkPolicy `json:"policies"`
	Flows    []*matcher.Traffic            `json:"flows"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var asked question
	decoder := json.NewDecoder(os.Stdin)
	// A misspelt field of a policy would otherwise be a policy without it.
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return err
	}
	policies := matcher.BuildNetworkPolicies(false, asked.Policies)
	allowed := make([]bool, len(asked.Flows))
	for i, flow := range asked.Flows {
		allowed[i] = policies.IsTrafficAllowed(flow).IsAllowed()
	}
	return json.NewEncoder(os.Stdout).Encode(allowed)
}
