module millrace.example/producer

go 1.26.0

require millrace.example/sdk v0.0.0

// The package of this very tree; elsewhere it is a version.
replace millrace.example/sdk => ../../../sdk/go
