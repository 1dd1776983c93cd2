// The smallest producer in Go: producer http://127.0.0.1:8080
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/domains/chirp"
	"millrace.example/sdk/gateway"
)

func main() {
	client := gateway.New(os.Args[1])
	command := millrace.NewCommand(&chirp.RegisterUser{UserID: "gus", Username: "Gus"})
	outcome, err := client.Send(context.Background(), command)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(outcome.Status)
}
