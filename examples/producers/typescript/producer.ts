// The smallest producer in TypeScript: node build/producer.js http://127.0.0.1:8080
import { command } from 'millrace-sdk';
import { RegisterUser } from 'millrace-sdk/chirp';
import { HttpClient } from 'millrace-sdk/http';

const client = new HttpClient(process.argv[2]!);
const outcome = await client.send(command(RegisterUser, { user_id: 'tess', username: 'Tess' }));
console.log(outcome.status);
