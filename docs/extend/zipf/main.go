// Command zipf is spotlighter with one more two-level weighting:
// spotlight.weighting: zipf.
//
//	go run ./docs/extend/zipf run docs/extend/zipf/zipf.yaml
package main

import (
	"os"

	"spotlighter/internal/cli"
	"spotlighter/spotlight"
)

func init() { spotlight.RegisterWeighting("zipf", weighting) }

func main() { os.Exit(cli.Main(os.Args[1:])) }
