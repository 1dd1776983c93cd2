module millrace.example/release/api

go 1.26.0
