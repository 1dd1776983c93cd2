// Reads an AsyncAPI document with the parser of the specification's authors, and the Avro in it: node asyncapi.mjs FILE

import { readFileSync } from 'node:fs';
import { AvroSchemaParser } from '@asyncapi/avro-schema-parser';
import { Parser } from '@asyncapi/parser';

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(process.argv[2], 'utf8'));
for (const { severity, message, path } of diagnostics) {
  console.log(`${['error', 'warning', 'info', 'hint'][severity]} at ${path.join('.')}: ${message}`);
}
const isWrong = !document || diagnostics.some(({ severity }) => severity <= 1);
if (!isWrong) {
  console.log(`${document.channels().length} channels, ${document.operations().length} operations`);
}
process.exit(isWrong ? 1 : 0);
