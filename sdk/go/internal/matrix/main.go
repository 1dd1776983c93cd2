// The matrix's program for Go.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/codec"
	"millrace.example/sdk/domains/accounting"
	"millrace.example/sdk/domains/all"
	"millrace.example/sdk/gateway"
	"millrace.example/sdk/kafka"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	registry, err := sr.NewClient(sr.URLs(os.Getenv("REGISTRY")))
	if err != nil {
		return err
	}
	client, err := kafka.New(registry, os.Getenv("TOPIC_PREFIX"), kgo.SeedBrokers(os.Getenv("KAFKA")))
	if err != nil {
		return err
	}
	defer client.Close()
	if args[0] == "send" {
		return send(ctx, client, args[1])
	}
	if args[0] == "watch" {
		return watch(ctx, args[1])
	}
	left, err := strconv.Atoi(args[2])
	if err != nil || left == 0 {
		return err
	}
	// what was read is told as the bytes that it is written as again: so all of it is compared
	if args[0] == "events" {
		return client.Events(ctx, args[1], func(event *millrace.Event) bool {
			left--
			bytes, err := all.Domains[args[1]].Events.AppendEvent(nil, event)
			tell(map[string]any{"id": event.ID, "type": event.Data.Type(), "bytes": shown(bytes, err)})
			return left > 0
		})
	}
	return client.Outcomes(ctx, args[1], func(outcome *millrace.Outcome) bool {
		left--
		bytes, err := millrace.AppendOutcome(nil, outcome)
		tell(map[string]any{"id": outcome.CommandID, "type": outcome.CommandType, "bytes": shown(bytes, err)})
		return left > 0
	})
}

func send(ctx context.Context, client *kafka.Client, how string) error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var given struct {
			Domain, Type, ID string
			Metadata         struct {
				UserID          *string `json:"user_id"`
				ExpectedVersion *int64  `json:"expected_version"`
			}
			Data json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &given); err != nil {
			return err
		}
		command := millrace.NewCommand(all.Domains[given.Domain].Commands.New(given.Type))
		command.ID = given.ID
		command.Metadata.UserID, command.Metadata.ExpectedVersion = given.Metadata.UserID, given.Metadata.ExpectedVersion
		if err := codec.FromJSON(given.Data, command.Data.Read); err != nil {
			return err
		}
		outcome, err := answer(ctx, client, how, command)
		var problem *gateway.Problem
		if errors.As(err, &problem) && !errors.Is(err, gateway.ErrPassing) {
			// what a gateway refuses was never sent
			tell(map[string]any{"id": command.ID, "status": "refused", "codes": []string{problem.Kind()}})
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", given.Type, err)
		}
		codes := []string{}
		for _, violation := range outcome.Violations {
			codes = append(codes, violation.Code)
		}
		tell(map[string]any{"id": outcome.CommandID, "status": outcome.Status, "codes": codes})
	}
	return lines.Err()
}

func answer(ctx context.Context, client *kafka.Client, how string, command *millrace.Command) (*millrace.Outcome, error) {
	if how == "kafka" {
		return client.Send(ctx, command)
	}
	answer, err := gateway.New(os.Getenv("HTTP")).Send(ctx, command)
	if err != nil {
		return nil, err
	}
	return answer.Outcome, nil
}

// watch follows the balance of an account until it is there, and then asks for it once.
func watch(ctx context.Context, account string) error {
	client, key := gateway.New(os.Getenv("HTTP")), map[string]string{"account_id": account}
	err := gateway.Subscribe(ctx, client, accounting.AccountBalances, key, func(change gateway.Change[accounting.AccountBalancesRow]) bool {
		rows := change.Rows
		if change.Row != nil {
			rows = []accounting.AccountBalancesRow{*change.Row}
		}
		if len(rows) == 0 {
			return true
		}
		tellRows(rows)
		return false
	})
	if err != nil {
		return err
	}
	rows, _, err := gateway.Rows(ctx, client, accounting.AccountBalances, gateway.Query{Key: key})
	tellRows(rows)
	return err
}

func tellRows(rows []accounting.AccountBalancesRow) {
	told := []map[string]string{}
	for _, row := range rows {
		told = append(told, map[string]string{
			"account_id": row.AccountID, "balance": strconv.FormatInt(row.Balance, 10), "version": strconv.FormatInt(row.Version, 10),
		})
	}
	tell(map[string]any{"rows": told})
}

func shown(bytes []byte, err error) string {
	if err != nil {
		return err.Error()
	}
	return hex.EncodeToString(bytes)
}

func tell(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
