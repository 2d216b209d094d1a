// What a real server serves of the pages: their documents and scripts.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.VIDEOSTREAM_BIN ?? fileURLToPath(new URL('../../target/debug/videostream', import.meta.url));

/** Addresses of pages, and the files in `web/` that they come from. */
export const PAGES = {
  '/': 'home/home.html',
  '/dashboard': 'dashboard/dashboard.html',
  '/publish/demo': 'publish/publish.html',
  '/live/demo': 'watch/watch.html',
  '/recordings': 'recordings/recordings.html',
  '/recordings/demo': 'recordings/stream.html',
};

/** Scripts with an address of their own. */
const ELSEWHERE = ['player.js'];

/** Everything that the pages and the scripts name: `{ pages: path → html, files: name → text, modules: name → paths }`. */
export async function served() {
  const server = spawn(BINARY, ['--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const origin = await listening(server);
    const pages = new Map();
    const files = new Map();
    const wanted = [];
    const follow = (script) => {
      for (const [, name] of script.matchAll(/'\.\/(?:assets\/)?([\w-]+-[0-9a-f]{10}\.\w+)'/g)) wanted.push(name);
    };
    for (const name of ELSEWHERE) {
      files.set(name, await text(`${origin}/${name}`));
      follow(files.get(name));
    }
    for (const [address, path] of Object.entries(PAGES)) {
      const html = await text(origin + address);
      pages.set(path, html);
      for (const [, name] of html.matchAll(/="(?:\.\.\/)?assets\/([^"]+)"/g)) wanted.push(name);
    }
    for (let name = wanted.pop(); name; name = wanted.pop()) {
      if (files.has(name)) continue;
      files.set(name, await text(`${origin}/assets/${name}`));
      follow(files.get(name));
    }
    const modules = JSON.parse(await text(`${origin}/assets/scripts.json`));
    return { pages, files, modules };
  } finally {
    server.kill();
  }
}

async function listening(server) {
  const failed = new Promise((_, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`${BINARY} ended with ${code}: cargo build makes it`)));
  });
  const first = new Promise((resolve) => createInterface({ input: server.stdout }).once('line', resolve));
  const line = await Promise.race([first, failed]);
  failed.catch(() => {});
  return line.split(' ').at(-1).replace(/\/$/, '');
}

async function text(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.text();
}
