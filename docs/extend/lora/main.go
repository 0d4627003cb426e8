// Command lora is spotlighter with one more row of the table: method: lora.
//
//	go run ./docs/extend/lora run docs/extend/lora/lora.yaml
package main

import (
	"os"

	"spotlighter/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
