package main

import (
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/domains/identity"
)

// The views are buckets of rows by their key. The package has their names and what they hold.
var (
	users  = []byte(identity.Users.Name)
	people = []byte(identity.People.Name)
)

// apply brings the rows to what they are once this has happened. What is only requested has no row, nor what a newer deployment tells.
func apply(tx *bolt.Tx, event *millrace.Event) error {
	switch it := event.Data.(type) {
	case *identity.UserAdded:
		return put(tx, &identity.UsersRow{
			UserID: it.UserID, Email: it.Email, EmailVerified: it.EmailVerified, FirstName: it.FirstName, LastName: it.LastName,
			Picture: it.Picture, Locale: it.Locale, AddedAt: event.RecordedAt, UpdatedAt: event.RecordedAt,
		})
	case *identity.UserUpdated:
		return change(tx, it.UserID, event, func(row *identity.UsersRow) {
			set(&row.Email, it.Email)
			set(&row.EmailVerified, it.EmailVerified)
			set(&row.FirstName, it.FirstName)
			set(&row.LastName, it.LastName)
			set(&row.Picture, it.Picture)
			set(&row.Locale, it.Locale)
		})
	case *identity.AccountingEnabled:
		return change(tx, it.UserID, event, func(row *identity.UsersRow) { row.AccountingEnabled = true })
	case *identity.UserRemoved:
		if err := tx.Bucket(users).Delete([]byte(it.UserID)); err != nil {
			return err
		}
		return tx.Bucket(people).Delete([]byte(it.UserID))
	}
	return nil
}

// set changes what was given.
func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

func change(tx *bolt.Tx, userID string, event *millrace.Event, to func(*identity.UsersRow)) error {
	found := tx.Bucket(users).Get([]byte(userID))
	if found == nil {
		return nil
	}
	var row identity.UsersRow
	if err := json.Unmarshal(found, &row); err != nil {
		return fmt.Errorf("the row of %s: %w", userID, err)
	}
	to(&row)
	row.UpdatedAt = event.RecordedAt
	return put(tx, &row)
}

// put writes what is known of a user, and what everybody may see of it.
func put(tx *bolt.Tx, row *identity.UsersRow) error {
	key := []byte(row.UserID)
	if err := putJSON(tx.Bucket(users), key, row); err != nil {
		return err
	}
	return putJSON(tx.Bucket(people), key, &identity.PeopleRow{
		UserID: row.UserID, FirstName: row.FirstName, LastName: row.LastName, Picture: row.Picture,
	})
}

func putJSON(bucket *bolt.Bucket, key []byte, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put(key, text)
}

// columns are the rows as their views call them.
func columns(view string, text []byte) (map[string]any, error) {
	if view == string(people) {
		var row identity.PeopleRow
		err := json.Unmarshal(text, &row)
		return map[string]any{
			"user_id": row.UserID, "first_name": row.FirstName, "last_name": row.LastName, "picture": row.Picture,
		}, err
	}
	var row identity.UsersRow
	err := json.Unmarshal(text, &row)
	return map[string]any{
		"user_id": row.UserID, "email": row.Email, "email_verified": row.EmailVerified, "first_name": row.FirstName,
		"last_name": row.LastName, "picture": row.Picture, "locale": row.Locale, "accounting_enabled": row.AccountingEnabled,
		"added_at": row.AddedAt, "updated_at": row.UpdatedAt,
	}, err
}
