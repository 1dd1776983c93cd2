// What the stories need: a `millrace up`, gateways beside it that may be killed, and a browser that forgives no error.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** The binary, the folder with the packages of `package.json`, and the compiled client of the pages. */
const { MILLRACE = 'target/debug/millrace', PAGES_MODULES = import.meta.dirname, PAGES_CLIENT } = process.env;
const require = createRequire(join(PAGES_MODULES, 'any.js'));
const { chromium } = require('playwright-core');
const { AxeBuilder } = require('@axe-core/playwright');
const BROWSERS = ['chromium-headless-shell', 'chromium', 'chromium-browser'].map((name) => `/usr/bin/${name}`);

/** The client that the pages have, for programs. */
export const { Client, newId } = await import(pathToFileURL(join(PAGES_CLIENT ?? join(import.meta.dirname, '../../web/build'), 'client/index.js')));

/** Waits until it holds, and returns what held. */
export async function until(what, holds, within = 15_000) {
  const end = Date.now() + within;
  let last;
  for (;;) {
    try {
      const found = await holds();
      if (found) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not within ${within} ms: ${what} (${last?.message ?? last})`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A `millrace up` on ports of its own, until `stop`. */
export async function up(more = []) {
  const folder = await mkdtemp(join(tmpdir(), 'pages-'));
  const ports = ['kafka', 'registry', 'http'].flatMap((name) => [`--${name}-port`, '0']);
  const running = spawn(MILLRACE, ['up', '--data', join(folder, 'data'), ...ports, ...more], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  running.stderr.on('data', (text) => (said = (said + text).slice(-4_000)));
  const lines = createInterface({ input: running.stdout })[Symbol.asyncIterator]();
  const { value: ready = '' } = await lines.next();
  const place = (name) => new RegExp(`${name}=(\\S+)`).exec(ready)?.[1];
  if (!place('http')) throw new Error(`millrace up is not ready: ${ready}\n${said}`);
  const gateways = [];
  return {
    url: place('http'),
    folder,
    /** Where a server is: `kafka`, `registry`. */
    place,
    /** A gateway on a port that it keeps, which may be killed and started again. */
    async gateway(settings = []) {
      const port = await freePort();
      const servers = ['--kafka', place('kafka'), '--registry', place('registry'), '--sqlite', join(folder, 'data/tables')];
      let process;
      const gateway = {
        url: `http://127.0.0.1:${port}`,
        async start() {
          process = spawn(MILLRACE, ['gateway', '--listen', `127.0.0.1:${port}`, ...servers], {
            cwd: folder,
            stdio: 'ignore',
            // the same key as that of `up`: streams go on behind a kill, and through either
            env: { ...globalThis.process.env, MILLRACE_GATEWAY_RESUME_KEY_FILE: join(folder, 'data/resume.key'), ...Object.fromEntries(settings) },
          });
          await until('a gateway that answers', async () => (await fetch(gateway.url)).ok);
        },
        async kill() {
          if (process.exitCode !== null || process.signalCode !== null) return;
          await new Promise((resolve) => (process.once('exit', resolve), process.kill('SIGKILL')));
        },
      };
      gateways.push(gateway);
      await gateway.start();
      return gateway;
    },
    async stop() {
      for (const gateway of gateways) await gateway.kill();
      running.kill('SIGTERM');
      await new Promise((resolve) => running.once('exit', resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs the binary to its end; what it printed. */
export function millrace(...given) {
  return new Promise((resolve, reject) => {
    const running = spawn(MILLRACE, given, { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    running.stdout.on('data', (text) => (said += text));
    running.once('exit', (code) => (code === 0 ? resolve(said.trim()) : reject(new Error(`millrace ${given.join(' ')}: ${code}`))));
  });
}

/** Sends a command, which is to be accepted. */
export function send(url, command, data, user = null) {
  return new Client({ base: url, user: () => user }).send(command, data);
}

/** A browser; every window of it is of somebody, and anything that goes wrong in it is remembered. */
export async function browser() {
  const path = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
  if (!path) throw new Error(`No browser is there: install Debian's package chromium-headless-shell (looked for ${BROWSERS.join(', ')}).`);
  const running = await chromium.launch({ executablePath: path });
  const wrong = [];
  return {
    /** A window in a context of its own. `refusals`: statuses of answers that the story wants. */
    async open(url, { user = null, zone = 'Europe/Berlin', viewport = { width: 1280, height: 900 }, scheme = 'light', locale = 'en-GB', expected = [] } = {}) {
      const context = await running.newContext({ viewport, colorScheme: scheme, timezoneId: zone, locale });
      if (user) await context.addInitScript((user) => localStorage.setItem('millrace.user', user), user);
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      page.on('pageerror', (error) => wrong.push(`${page.url()}: ${error.stack ?? error}`));
      page.on('console', (message) => {
        // a browser logs every refused answer; the stories that want some name their statuses
        const status = /Failed to load resource: the server responded with a status of (\d+)/.exec(message.text())?.[1];
        // on a busy machine an outcome may be looked for before it is there
        const isEarly = status === '404' && message.location().url.includes('/v1/outcomes/');
        const isExpected = status ? isEarly || expected.includes(Number(status)) : expected.includes('cut') && /net::ERR_/.test(message.text());
        if (message.type() === 'error' && !isExpected) wrong.push(`${page.url()}: ${message.text()}`);
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(new URL(url).origin)) wrong.push(`${page.url()} asks ${request.url()}`);
      });
      await page.goto(url);
      return page;
    },
    /** Fails when anything went wrong in any window. */
    check() {
      if (wrong.length > 0) throw new Error(`in the browser:\n${wrong.join('\n')}`);
    },
    stop: () => running.close(),
  };
}

/** What axe finds that is serious or critical. */
export async function barriers(page) {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return grave.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n  ')}`);
}

