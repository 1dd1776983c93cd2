// The public interface of the TypeScript package, a line for each thing that programs may name: what the modules of
// package.json's `exports` export, with all members.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const folder = resolve(process.argv[2]);
// a copy of the package without its tools is read with those of the repository
const tools = [folder, resolve(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../typescript')];
const at = tools.find((one) => existsSync(join(one, 'node_modules/typescript')));
if (!at) {
  console.error('TypeScript is missing: run scripts/sdk-setup');
  process.exit(1);
}
const ts = createRequire(join(at, 'package.json'))('typescript');

const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const entries = Object.entries(exports)
  .filter(([, to]) => typeof to === 'object' && to.default?.endsWith('.js'))
  .flatMap(([name, { default: to }]) => {
    const file = to.replace('./dist/', 'src/').replace(/\.js$/, '.ts');
    if (!file.includes('*')) return [[name, join(folder, file)]];
    const below = join(folder, file.slice(0, file.indexOf('*')));
    const found = readdirSync(below).filter((one) => one.endsWith('.ts'));
    return found.map((one) => [name.replace('*', one.slice(0, -3)), join(below, one)]);
  });

const options = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts', 'lib.dom.asynciterable.d.ts'],
  strict: true,
  exactOptionalPropertyTypes: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
};
const program = ts.createProgram(entries.map(([, file]) => file), options);
const checker = program.getTypeChecker();
const flags = ts.TypeFormatFlags.NoTruncation | ts.TypeFormatFlags.WriteArrowStyleSignature;
const lines = new Set();

const shown = (type, node) =>
  checker.typeToString(type, node, flags | ts.TypeFormatFlags.InTypeAlias).replaceAll(/import\("[^"]*\/([^"/]+)"\)/g, '$1').replaceAll(/\s+/g, ' ');

const isHidden = (symbol) =>
  symbol.name.startsWith('__#') ||
  (symbol.declarations ?? []).some((one) => ts.getCombinedModifierFlags(one) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected));

const signature = (name, one, node) => {
  lines.add(`${name} -> ${shown(one.getReturnType(), node)}`);
  one.getParameters().forEach((parameter, index) => {
    const declared = parameter.valueDeclaration;
    const may = declared && (declared.questionToken || declared.initializer || declared.dotDotDotToken);
    // what is taken apart has no name of its own
    const called = ts.isIdentifier(declared?.name ?? parameter) ? parameter.name : '{}';
    const line = `${name}(${index} ${called}: ${shown(checker.getTypeOfSymbolAtLocation(parameter, node), node)})`;
    lines.add(may ? `${line} = …` : `! ${line}`);
  });
};

const members = (name, type, node, must) => {
  for (const member of type.getProperties()) {
    if (isHidden(member)) continue;
    const of = checker.getTypeOfSymbolAtLocation(member, node);
    const calls = of.getCallSignatures();
    const isMethod = member.flags & ts.SymbolFlags.Method;
    if (isMethod && calls.length === 1) signature(`${name}.${member.name}`, calls[0], node);
    else if (member.flags & ts.SymbolFlags.Optional) lines.add(`${name}.${member.name}?: ${shown(of, node)}`);
    else lines.add(`${must ? '! ' : ''}${name}.${member.name}: ${shown(of, node)}`);
  }
};

// Events and rows are read: none but tests make them, so that a field more breaks nobody.
const isRead = (symbol) =>
  symbol.name.endsWith('Row') ||
  (symbol.declarations ?? []).some((one) => ts.isVariableDeclaration(one) && one.type?.getText().startsWith('EventKind'));

for (const [entry, file] of entries) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file));
  for (const exported of module ? checker.getExportsOfModule(module) : []) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const name = `${entry === '.' ? 'millrace-sdk' : entry.replace('./', 'millrace-sdk/')}.${exported.name}`;
    for (const declaration of symbol.declarations ?? []) {
      if (ts.isInterfaceDeclaration(declaration)) {
        lines.add(`${name}: interface`);
        members(name, checker.getDeclaredTypeOfSymbol(symbol), declaration, !isRead(symbol));
      } else if (ts.isClassDeclaration(declaration)) {
        lines.add(`${name}: class`);
        members(name, checker.getDeclaredTypeOfSymbol(symbol), declaration, false);
        const statics = checker.getTypeOfSymbolAtLocation(symbol, declaration);
        statics.getConstructSignatures().forEach((one) => signature(`${name}.new`, one, declaration));
      } else if (ts.isTypeAliasDeclaration(declaration)) {
        lines.add(`${name}: type ${shown(checker.getDeclaredTypeOfSymbol(symbol), declaration)}`);
      } else if (ts.isEnumDeclaration(declaration)) {
        for (const one of declaration.members) lines.add(`${name}.${one.name.getText()}: enum`);
      } else {
        const type = checker.getTypeOfSymbolAtLocation(symbol, declaration);
        const calls = type.getCallSignatures();
        if (calls.length === 1) signature(name, calls[0], declaration);
        else if (type.isStringLiteral?.() || !declaration.type) {
          // an object of names, a text that is a schema: what it has is its type
          const properties = type.getProperties();
          if (properties.length > 0 && !checker.isArrayLikeType(type) && !(type.flags & ts.TypeFlags.StringLike)) members(name, type, declaration, false);
          else lines.add(`${name}: ${type.flags & ts.TypeFlags.StringLike ? 'string' : shown(type, declaration)}`);
        } else lines.add(`${name}: ${shown(type, declaration)}`);
      }
    }
  }
}
console.log([...lines].sort().join('\n'));
