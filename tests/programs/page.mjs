// docs/programs.md, made of what the test found.

import { RELAY } from './watching.mjs';

const cell = (text) => text.replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.map(cell).join(' | ')} |`;

const table = (heads, rows) => [row(...heads), row(...heads.map(() => '---')), ...rows.map((each) => row(...each))].join('\n');

/** `published` and `watched` are rows with what was `found`: codecs, or `nothing` and why. */
export const page = (published, watched) => `# Programs

Each command below has been run with the program that Debian 12 has. \`HOST:8080\` is the address of the
server, \`NAME\` the name of the stream, \`KEY\` the publish key. Where an address has no place for a key,
append \`?key=KEY\` to it, in quotes: see [Access](access.md).

## Publish with a program

A codec is in the table if a viewer of \`/live/NAME.webm\` got its frames and keyframes without a fault.

${table(
  ['program', 'command', 'viewers get', 'to know'],
  published.map(({ program, command, found, note }) => [program, `\`${command}\``, found, note]),
)}

## Watch with a program

A codec is in the table if the program decoded its frames.

${table(
  ['program', 'command', 'plays', 'to know'],
  watched.map(({ program, command, found, note }) => [program, `\`${command}\``, found, note]),
)}

Icecast's own listeners come to \`/NAME.webm\` with this in \`icecast.xml\`:

\`\`\`text
${RELAY}\`\`\`

## How this page is made

The tests in \`tests/programs\` run all of this, count decoded frames and compare this page with what they
found. With \`UPDATE_DOCS=1\` in the environment they write it.
`;
